"""The one error root. A message says what was seen, what is allowed and what to do next."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from enum import Enum
from itertools import islice
from pathlib import PurePath

_LINE = 120  # characters of what was seen that an error quotes
_NAMED = 600  # characters of allowed names that are all given
_PART = 900  # characters of each part of a message: a last resort, for whatever was not quoted


class DessinError(Exception):
    """A mistake or a condition that the user can act on; shown as one paragraph, never a traceback."""

    def __init__(self, seen: str, *, allowed: str = "", do: str = "") -> None:
        self.seen, self.allowed, self.do = (_cut(part, _PART) for part in (seen, allowed, do))
        super().__init__(" ".join(part for part in (self.seen, self.allowed, self.do) if part))


def quoted(value: object, most: int = _LINE) -> str:
    """A value for a message: about a line at most, and never written out whole first.

    A text stands as it is, without quotes, in one line, and a path at up to twice the length; a long one
    without its middle. Of anything else it is the beginning.
    """
    if isinstance(value, PurePath):
        value, most = str(value), 2 * most
    if not isinstance(value, str):
        return _cut(_begun(value, most), most)
    long = len(value) > most
    text = "".join(
        c if c.isprintable() else ascii(c)[1:-1] for c in (value[:most] + value[-most:] if long else value)
    )
    return f"{text[: most * 2 // 3]}…{text[-most // 3 :]}" if long or len(text) > most else text


def _begun(value: object, most: int, depth: int = 3) -> str:
    """The beginning of a value's repr, from its first parts; of what is no plain value the kind."""
    match value:
        case str():
            return f'"{quoted(value, most)}"'
        case bytes() | bytearray():
            return repr(bytes(value[:most]))
        case bool() | float() | complex() | None | Enum():
            return repr(value)
        case int() if value.bit_length() > _LINE:
            return f"a whole number of about {value.bit_length() * 3 // 10:,} digits"
        case Mapping() if depth:
            pairs = islice(value.items(), most // 10)
            parts = ", ".join(f"{_begun(k, most, 0)}: {_begun(v, most // 2, depth - 1)}" for k, v in pairs)
            return f"{{{parts}{', …' if len(value) > most // 10 else ''}}}"
        case list() | tuple() | set() | frozenset() if depth:
            parts = ", ".join(_begun(part, most // 2, depth - 1) for part in islice(value, most // 10))
            parts += ", …" if len(value) > most // 10 else ""
            return f"[{parts}]" if isinstance(value, list) else f"({parts})"
        case int() | date():
            return str(value)
    return f"a {type(value).__name__}"


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


def listing(names: Sequence[str], *, limit: int = 5) -> str:
    """The first few names, each at most a line, and how many more there are."""
    shown = ", ".join(quoted(name) for name in names[:limit])
    return f"{shown} and {len(names) - limit:,} more" if len(names) > limit else shown


def unknown(
    what: str, value: object, allowed: Iterable[str], *, do: str = "", meant: Sequence[str] = ()
) -> DessinError:
    """An error for a value outside a closed list; it names the nearest allowed ones, of a short list all.

    `meant` is what the caller knows to be nearer.
    """
    names, seen = sorted(allowed), quoted(value)
    spelt = {name.lower(): name for name in names}
    near = [spelt[key] for key in difflib.get_close_matches(seen.lower(), spelt, n=5, cutoff=0.5)]
    every = ", ".join(names)
    rule = f"It must be one of: {every}." if names else ""
    if len(every) > _NAMED:
        rule = f"It must be one of {len(names):,}, such as {quoted(', '.join(near or names[:5]), _NAMED)}."
    near = [f'"{quoted(name)}"' for name in meant or near[:1]]
    hint = f"Did you mean {' or '.join(near)}?" if near else ""
    return DessinError(
        f'Unknown {what}: "{seen}".', allowed=rule, do=" ".join(part for part in (hint, do) if part)
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
