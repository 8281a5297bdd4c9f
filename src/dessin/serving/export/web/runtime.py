"""ONNX Runtime for browsers (MIT): one version, by its digests; from a folder, the cache, or by npm.

`python -m dessin.serving.export.web.runtime` puts it into the cache.
"""

from __future__ import annotations

import base64
import hashlib
import io
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Final

from dessin.errors import DessinError
from dessin.files import atomic_path, cache_folder, sha256_bytes, write_bytes
from dessin.progress import say

PACKAGE: Final = "onnxruntime-web"
VERSION: Final = "1.30.0"
VARIABLE: Final = "DESSIN_RUNTIME"
ARCHIVE: Final = f"{PACKAGE}-{VERSION}.tgz"
# Of the archive, as npm states it.
_INTEGRITY: Final = "q0y+JrrtukXSzsBWEMccVfqX25LRmosXHF+CaRJmg8pZClzcV7svNc4rKY3jL02Vb7QmRMDs1SigqR4CXAfKYQ=="
_SCRIPT, _WASM = "ort.wasm.bundle.min.mjs", "ort-wasm-simd-threaded.wasm"
_DIGESTS: Final = {
    _SCRIPT: "11e64bd8ffe11bd1a2a2f0d6275fdfbbba7262f0b76b99b53d228a8a22ef3d90",
    _WASM: "3398c10d07d229bd91b364548e130e0e51a8e5704b88c7c083ebbeb78842dee2",
}
# Where a folder that was named has them: itself, an unpacked archive, a folder of npm.
_PLACES: Final = ("", "dist", "package/dist", f"node_modules/{PACKAGE}/dist")
_LARGEST = 64 * 2**20
_NPM_S = 600
_BY_HAND = (
    f"On a machine with internet run npm pack {PACKAGE}@{VERSION}, and name the folder with {ARCHIVE} in it "
    f"by --runtime, or by {VARIABLE}."
)


@dataclass(frozen=True)
class WebRuntime:
    """The runtime's module (JavaScript) and its program (WebAssembly)."""

    script: bytes
    wasm: bytes


def web_runtime(folder: Path | None = None) -> WebRuntime:
    """The runtime out of a folder, by default that of `DESSIN_RUNTIME`; else the cache's, else npm's.

    Raises:
        DessinError: the folder has another version or none, or there is neither npm nor a network.
    """
    named = folder or (Path(os.environ[VARIABLE]) if os.environ.get(VARIABLE) else None)
    if named is not None:
        return _checked(_in_folder(named), str(named))
    kept = cache_folder() / PACKAGE / VERSION
    if not kept.is_dir():
        say(f"{PACKAGE} {VERSION} is fetched by npm, once (32 MiB)")
        files = _unpacked(_by_npm(), "what npm fetched")
        with atomic_path(kept) as temporary:
            temporary.mkdir()
            for name, data in files.items():
                write_bytes(temporary / name, data)
    return _checked({name: (kept / name).read_bytes() for name in _DIGESTS}, str(kept))


def licences() -> str:
    """The licence of the runtime, with the notices of what is in it, as its package for Python has them."""
    try:
        home = Path(str(distribution("onnxruntime").locate_file("onnxruntime")))
        parts = [(home / name).read_text(encoding="utf-8") for name in ("LICENSE", "ThirdPartyNotices.txt")]
    except (PackageNotFoundError, OSError):
        parts = []
    return "\n\n".join((f"{PACKAGE} {VERSION}, Copyright (c) Microsoft Corporation, MIT", *parts))


def _in_folder(folder: Path) -> dict[str, bytes]:
    archive = folder if folder.is_file() else folder / ARCHIVE
    if archive.is_file():
        return _unpacked(_small(archive), str(archive))
    for place in _PLACES:
        paths = {name: folder / place / name for name in _DIGESTS}
        if all(path.is_file() for path in paths.values()):
            return {name: _small(path) for name, path in paths.items()}
    raise DessinError(f"{folder} holds neither {ARCHIVE} nor its files {_SCRIPT} and {_WASM}.", do=_BY_HAND)


def _small(path: Path) -> bytes:
    if path.stat().st_size > _LARGEST:
        raise DessinError(f"{path} is larger than {PACKAGE} {VERSION} is.", do=_BY_HAND)
    return path.read_bytes()


def _checked(files: dict[str, bytes], where: str) -> WebRuntime:
    for name, data in files.items():
        if sha256_bytes(data) != _DIGESTS[name]:
            raise DessinError(
                f"{name} in {where} is not that of {PACKAGE} {VERSION} (the digest differs).",
                allowed="No other version is taken.",
                do=_BY_HAND,
            )
    return WebRuntime(files[_SCRIPT], files[_WASM])


def _by_npm() -> bytes:
    npm = shutil.which("npm")
    if npm is None:
        raise DessinError(f"A page needs {PACKAGE}, and there is no npm here to fetch it.", do=_BY_HAND)
    with tempfile.TemporaryDirectory() as place:
        command = [npm, "pack", f"{PACKAGE}@{VERSION}", "--silent", "--pack-destination", place]
        try:
            done = subprocess.run(
                command, cwd=place, capture_output=True, text=True, timeout=_NPM_S, check=False
            )
        except subprocess.TimeoutExpired:
            raise DessinError(
                f"npm did not fetch {PACKAGE} within {_NPM_S // 60} min.", do=_BY_HAND
            ) from None
        archive = Path(place) / ARCHIVE
        if done.returncode or not archive.is_file():
            why = next(iter((done.stderr or done.stdout).strip().splitlines()[-1:]), "it said nothing")
            raise DessinError(f"npm could not fetch {PACKAGE}@{VERSION}: {why}.", do=_BY_HAND)
        return _small(archive)


def _unpacked(archive: bytes, where: str) -> dict[str, bytes]:
    if base64.b64encode(hashlib.sha512(archive).digest()).decode() != _INTEGRITY:
        raise DessinError(
            f"{where} is not {PACKAGE} {VERSION} as it was published (the digest differs).", do=_BY_HAND
        )
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as tar:
        return dict(_members(tar))


def _members(tar: tarfile.TarFile) -> Iterator[tuple[str, bytes]]:
    for name in _DIGESTS:
        file = tar.extractfile(f"package/dist/{name}")
        assert file is not None, "the digest is of an archive that has it"
        yield name, file.read()


if __name__ == "__main__":
    try:
        web_runtime()
    except DessinError as error:
        sys.exit(str(error))
