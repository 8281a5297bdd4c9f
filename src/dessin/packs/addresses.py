"""Addresses of packs: a file server, an object store, a machine behind ssh, or a git repository, each brought
into a folder of this machine first."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

from dessin.errors import DessinError, install_command, quoted, unknown
from dessin.packs.archive import ENDING
from dessin.page.numbers import counted
from dessin.reading import MiB

# Kind of address → the extra that it needs; others that fsspec knows run code of strangers, or are no place.
PROTOCOLS: Final[Mapping[str, str]] = {
    **dict.fromkeys(("http", "https"), "http"),
    **dict.fromkeys(("ssh", "sftp"), "ssh"),
    "s3": "s3",
}
_GIT: Final = "git+"
_SHORT_GIT = re.compile(r"[\w.-]+@[\w.-]+:[\w./~-]+\.git")  # me@host:team/runs.git
_MOST_PACKS: Final = 1_000
_MOST_BYTES: Final = 16 * 1024 * MiB
_CLONE_S: Final = 600.0
_GIT_SETTINGS: Final = (
    # A link in a strange repository may lead anywhere, and an `ext::` address is a command.
    *("-c", "core.symlinks=false", "-c", "protocol.ext.allow=never", "-c", "advice.detachedHead=false"),
)


def is_address(source: str) -> bool:
    """Whether a source is written as an address, and not as a file or folder of this machine."""
    return "://" in source or source.startswith(_GIT) or bool(_SHORT_GIT.fullmatch(source))


def is_bare(folder: Path) -> bool:
    """Whether a folder of this machine is a git repository without a working copy."""
    return (folder / "HEAD").is_file() and (folder / "objects").is_dir() and (folder / "refs").is_dir()


def bring(address: str, folder: Path) -> Path:
    """Bring the packs at an address into `folder`, a new one; returns where they lie then.

    Raises:
        DessinError: an unknown kind of address, a missing extra, nothing there, or more than a team has.
    """
    if "://" not in address or address.startswith(_GIT):
        return _clone(address.removeprefix(_GIT), folder)
    protocol = address.partition("://")[0]
    if protocol not in PROTOCOLS or "::" in address:
        raise unknown("kind of address", protocol, (*PROTOCOLS, "git+https", "git+ssh"))
    folder.mkdir(parents=True)
    try:
        _download(address, folder)
    except ImportError:
        do = f"Install with {install_command(PROTOCOLS[protocol])}"
        raise DessinError(f"Packs at {protocol} addresses need a package more.", do=do) from None
    except DessinError:
        raise
    # Each kind of address has errors of its own.
    except Exception as error:
        said = str(error).strip() or type(error).__name__
        raise DessinError(
            f"{shown(address)} cannot be read: {quoted(said.replace(address, shown(address)))}.",
            do="Check the address, and that it may be read from here.",
        ) from None
    return folder


def shown(address: str) -> str:
    """An address for people, without a password."""
    with suppress(ValueError):
        parts = urlsplit(address)
        if parts.password is not None:
            host = f"{parts.username}@{parts.netloc.rpartition('@')[2]}"
            return urlunsplit(parts._replace(netloc=host))
    return address


def _download(address: str, folder: Path) -> None:
    from fsspec.core import url_to_fs

    behind_ssh = PROTOCOLS[address.partition("://")[0]] == "ssh"
    system, path = url_to_fs(address, **({"host_key_policy": _known_alone()} if behind_ssh else {}))
    paths = [path] if path.endswith(ENDING) else _packs_in(system, path)
    if not paths:
        raise DessinError(
            f"There is no pack ({ENDING}) at {shown(address)}.", do="Name a pack, or its folder."
        )
    if len(paths) > _MOST_PACKS:
        raise DessinError(
            f"{counted(len(paths), 'pack')} were found at {shown(address)}.",
            allowed=f"Up to {_MOST_PACKS:,} are collected at a time.",
            do="Name some of them.",
        )
    left = _MOST_BYTES
    for place, name in enumerate(paths):
        # Numbered: of a foreign name nothing but its ending reaches the disk.
        with system.open(name, "rb") as source, (folder / f"{place:04d}{ENDING}").open("wb") as copy:
            while block := source.read(MiB):
                left -= len(block)
                if left < 0:
                    raise DessinError(
                        f"The packs at {shown(address)} have more than {_MOST_BYTES // MiB:,} MiB.",
                        do="Name some of them.",
                    )
                copy.write(block)


def _known_alone() -> Any:
    """Speak to servers alone whose key ssh has: any other may be somebody in between, who is told a password.

    fsspec would take any key, and reads none of those that are known.
    """
    import paramiko

    class KnownAlone(paramiko.MissingHostKeyPolicy):  # type: ignore[misc]
        def missing_host_key(self, client: Any, hostname: str, key: Any) -> None:  # noqa: ARG002
            known = paramiko.HostKeys()
            for path in (Path("~/.ssh/known_hosts").expanduser(), Path("/etc/ssh/ssh_known_hosts")):
                if path.is_file():
                    known.load(str(path))
            if known.check(hostname, key):
                return
            how = "another key than ssh knows" if known.lookup(hostname) else "a key that ssh does not know"
            raise DessinError(
                f"The server {quoted(hostname)} shows {how}, so nothing was said to it.",
                do="Connect once with ssh, compare the key, and try again.",
            )

    return KnownAlone()


def _packs_in(system: Any, path: str) -> list[str]:
    """The packs right below a folder; a page of links may name others elsewhere, which are not followed."""
    start = f"{path.rstrip('/')}/"
    names = {name.partition("?")[0] for name in system.ls(path, detail=False)}
    return sorted(
        name
        for name in names
        if name.endswith(ENDING) and name.startswith(start) and "/" not in name.removeprefix(start)
    )


def _clone(address: str, folder: Path) -> Path:
    """The newest state of a repository, of the branch after `#` or of its own."""
    address, _, branch = address.partition("#")
    if address.startswith("-") or "::" in address:
        raise DessinError(f"{quoted(address)} is no address of a git repository.", do="Check the address.")
    local = Path(address)
    # Of a folder git makes a copy with links to it, unless it is spelt as an address.
    url = local.resolve().as_uri() if local.is_dir() else address
    command = ["git", *_GIT_SETTINGS, "clone", "--quiet", "--depth=1", "--no-tags", "--single-branch"]
    command += ["--template=", *([f"--branch={branch}"] if branch else []), "--", url, str(folder)]
    environment = {**os.environ, "GIT_TERMINAL_PROMPT": "0", "GIT_LFS_SKIP_SMUDGE": "1"}
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_CLONE_S,
            check=False,
            env=environment,
            stdin=subprocess.DEVNULL,
        )
    except FileNotFoundError:
        raise DessinError("git is not installed.", do="Install it, or name a folder.") from None
    except subprocess.TimeoutExpired:
        raise DessinError(
            f"{shown(address)} was not here after {_CLONE_S:.0f} s.",
            do="Clone it yourself, and name the folder.",
        ) from None
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"git ended with {done.returncode}"]
        said = lines[-1].replace(url, shown(address))
        raise DessinError(f"{shown(address)} cannot be cloned: {quoted(said)}.", do="Check the address.")
    return folder
