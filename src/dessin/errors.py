"""The one error root. A message says what was seen, what is allowed and what to do next."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Iterable


class DessinError(Exception):
    """A mistake or a condition that the user can act on; shown as one paragraph, never a traceback."""

    def __init__(self, seen: str, *, allowed: str = "", do: str = "") -> None:
        self.seen, self.allowed, self.do = seen, allowed, do
        super().__init__(" ".join(part for part in (seen, allowed, do) if part))


def unknown(what: str, value: object, allowed: Iterable[str], *, do: str = "") -> DessinError:
    """An error for a value outside a closed list; it names the nearest allowed one."""
    names = sorted(allowed)
    spelt = {name.lower(): name for name in names}
    near = [spelt[key] for key in difflib.get_close_matches(str(value).lower(), spelt, n=1, cutoff=0.5)]
    hint = f'Did you mean "{near[0]}"?' if near else ""
    return DessinError(
        f'Unknown {what}: "{value}".',
        allowed=f"It must be one of: {', '.join(names)}.",
        do=" ".join(part for part in (hint, do) if part),
    )


def install_command(extra: str) -> str:
    """The command that installs an extra, for how dessin was installed: a checkout, a file, an index."""
    import json
    from importlib.metadata import PackageNotFoundError, distribution
    from urllib.parse import urlsplit
    from urllib.request import url2pathname

    try:
        origin = json.loads(distribution("dessin").read_text("direct_url.json") or "{}")
    except PackageNotFoundError:
        origin = {}
    url = origin.get("url", "")
    wanted = f"'dessin[{extra}]{f' @ {url}' if url else ''}'"
    if origin.get("dir_info", {}).get("editable"):
        wanted = f"-e '{url2pathname(urlsplit(url).path)}[{extra}]'"
    return f"{sys.executable} -m pip install {wanted}"
