"""A pack: a zip of an index in JSON, one xz stream of all small files, and weights. Equal results give
equal bytes, and what is read is bounded and checked before any of it is laid down.

In one stream, what a group of folds repeats of its runs is there once. Packs of format 1 have each file as
a member of the zip.
"""

from __future__ import annotations

import hashlib
import lzma
import stat
import zlib
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import IO, Annotated, Final, Literal
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile, ZipInfo

from pydantic import Field, StringConstraints

from dessin.errors import DessinError, quoted
from dessin.files import atomic_path, stays_inside
from dessin.models.card import Digest
from dessin.packs.parcel import ALLOWED, BUNDLE, MAIN, MOST_BYTES, Kind, Parcel, Weights, as_json
from dessin.reading import MiB, open_regular, parse_json, unreadable
from dessin.results import Result
from dessin.schema import Section, versioned

ENDING: Final = ".dsn"
MOST_FILES: Final = 100_000
MOST_UNPACKED: Final = 16 * 1024 * MiB
_MOST_INDEX: Final = 32 * MiB
_LEVEL: Final = 9
_STREAM: Final = "files.xz"
# Of answers each fourth byte is alike; the dictionary is how far back a repetition is found.
_FILTERS: Final = ({"id": lzma.FILTER_LZMA2, "preset": 9, "dict_size": 16 * MiB, "lc": 0, "lp": 2, "pb": 2},)
_MOST_MEMORY: Final = 64 * MiB  # of unpacking, whatever a stranger's stream asks for
_WHEN: Final = (1980, 1, 1, 0, 0, 0)  # the first date that a zip knows
_AGAIN: Final = "Have it made and sent again."


class PackedFile(Section):
    """A file's size in bytes, and its sha256."""

    bytes: int = Field(ge=0)
    sha256: Digest


class PackedItem(Section):
    """A result: the name of its folder in the pack, and its files by their path in it."""

    name: Annotated[str, StringConstraints(pattern=r"^[^./\\:\s][^/\\:]{0,199}$")]
    kind: Kind
    files: dict[str, PackedFile]


class PackIndex(Result):
    """`index.json` of a pack, its first file. `dessin` is the version that made it."""

    FILE = "index.json"
    WHAT = "the index of a pack"

    format: int = 2
    kind: Literal["pack"] = "pack"
    dessin: str
    items: tuple[PackedItem, ...]


def write_pack(path: Path, parcels: Sequence[Parcel]) -> int:
    """Write a pack, whole or not at all; returns its size in bytes."""
    index = PackIndex(dessin=version("dessin"), items=tuple(map(_item, parcels)))
    with atomic_path(path) as temporary:
        with ZipFile(temporary, "w") as archive:
            text = as_json(index.model_dump(mode="json"))
            archive.writestr(_info(PackIndex.FILE), text, compresslevel=_LEVEL)
            files = {parcel.name: parcel.files for parcel in parcels}
            packer = lzma.LZMACompressor(lzma.FORMAT_XZ, lzma.CHECK_CRC32, filters=_FILTERS)
            with archive.open(_info(_STREAM, ZIP_STORED), "w") as packed:
                for item, name in _streamed(index.items):
                    packed.write(packer.compress(files[item.name][name]))
                packed.write(packer.flush())
            for parcel in parcels:
                for name, weights in sorted(parcel.weights.items()):
                    # Numbers of a network do not shrink.
                    info = _info(f"{parcel.name}/{name}", ZIP_STORED)
                    info.file_size = weights.path.stat().st_size
                    with weights.opened() as source, archive.open(info, "w") as packed:
                        while block := source.read(MiB):
                            packed.write(block)
        return temporary.stat().st_size


def _item(parcel: Parcel) -> PackedItem:
    files = {
        name: PackedFile(bytes=len(data), sha256=hashlib.sha256(data).hexdigest())
        for name, data in parcel.files.items()
    }
    for name, weights in parcel.weights.items():
        with weights.opened() as source:
            digest = _digest(source)
        files[name] = PackedFile(bytes=weights.path.stat().st_size, sha256=digest)
    return PackedItem(name=parcel.name, kind=parcel.kind, files=files)


def _streamed(items: Sequence[PackedItem]) -> list[tuple[PackedItem, str]]:
    """The small files in the order of the stream: arrays first, whose bytes come in fours."""
    small = [(item, name) for item in items for name in sorted(item.files) if not _is_large(name)]
    return sorted(small, key=lambda each: not each[1].endswith(".npy"))


def _is_large(name: str) -> bool:
    return f"{BUNDLE}/model." in name


def _info(name: str, method: int = ZIP_DEFLATED) -> ZipInfo:
    """A member that says nothing of when, by whom and under which system it was packed."""
    info = ZipInfo(name, _WHEN)
    info.compress_type = method
    info.create_system, info.external_attr = 3, (stat.S_IFREG | 0o644) << 16
    return info


def read_pack(path: Path) -> tuple[Parcel, ...]:
    """The results in a pack, each byte of which was compared with the index; nothing is written.

    Raises:
        DessinError: no pack, a damaged or a newer one, or one that holds what no pack does: a link, a path
            that leads out of it, a file that is not in its index, or more than the bounds.
    """
    try:
        with open(open_regular(path), "rb") as file, ZipFile(file) as archive:  # noqa: PTH123 (a handle)
            return _read(archive, path)
    except BadZipFile as error:
        raise DessinError(f"{quoted(path)} is no pack, or a damaged one: {error}.", do=_AGAIN) from None
    except (zlib.error, lzma.LZMAError, EOFError, NotImplementedError, RuntimeError) as error:
        raise DessinError(f"{quoted(path)} is damaged: {quoted(str(error))}.", do=_AGAIN) from None
    except OSError as error:
        raise unreadable(path, error) from None


def _read(archive: ZipFile, path: Path) -> tuple[Parcel, ...]:
    members = archive.infolist()
    _check_members(members, path)
    if not members or members[0].filename != PackIndex.FILE or members[0].file_size > _MOST_INDEX:
        raise DessinError(f"{quoted(path)} is no pack: it does not begin with {PackIndex.FILE}.", do=_AGAIN)
    where = f"{path.name}/{PackIndex.FILE}"
    values = parse_json(archive.read(members[0]).decode("utf-8", "replace"), where=where)
    index = versioned(PackIndex, values, where, PackIndex.model_fields["format"].default, what=PackIndex.WHAT)
    streamed = _streamed(index.items) if index.format > 1 else []
    listed = {PackIndex.FILE, *([_STREAM] if index.format > 1 else [])}
    for item in index.items:
        wrong = [name for name in item.files if not ALLOWED[item.kind].fullmatch(name)]
        wrong += [name for name in item.files if not stays_inside(f"{item.name}/{name}")]
        if wrong:
            raise DessinError(f"{where} names {quoted(wrong[0])}, which no {item.kind} has.", do=_AGAIN)
        if MAIN[item.kind] not in item.files:
            raise DessinError(f"{where}: {item.name} has no {MAIN[item.kind]}.", do=_AGAIN)
        apart = item.files if index.format == 1 else filter(_is_large, item.files)
        listed |= {f"{item.name}/{name}" for name in apart}
    strange = sorted(listed ^ {member.filename for member in members})
    if strange or len({item.name.casefold() for item in index.items}) < len(index.items):
        seen = f"{quoted(strange[0])} is only in one of them" if strange else "a name is there twice"
        raise DessinError(f"The index of {quoted(path)} does not fit its files: {seen}.", do=_AGAIN)
    small: dict[str, dict[str, bytes]] = {item.name: {} for item in index.items}
    if index.format > 1:
        _check_bounds(
            len(members) + len(streamed),
            sum(m.file_size for m in members) + sum(item.files[name].bytes for item, name in streamed),
            path,
        )
        with archive.open(_STREAM) as packed:
            stream = _Stream(packed)
            for item, name in streamed:
                small[item.name][name] = _checked(stream.read, item, name, path)
            if stream.read(1):
                raise DessinError(f"{quoted(path)} holds more than its index says.", do=_AGAIN)
    return tuple(_parcel(archive, path, item, small[item.name]) for item in index.items)


def _check_members(members: Sequence[ZipInfo], path: Path) -> None:
    """Refuse what no pack holds, before anything is unpacked."""
    _check_bounds(len(members), sum(member.file_size for member in members), path)
    seen: set[str] = set()
    for member in members:
        name, mode = member.filename, member.external_attr >> 16
        plain = stat.S_IFMT(mode) in (0, stat.S_IFREG) and member.compress_type in (ZIP_STORED, ZIP_DEFLATED)
        if not plain or member.flag_bits & 1 or not stays_inside(name) or name.casefold() in seen:
            raise DessinError(
                f"{quoted(path)} holds {quoted(name)}, which is a link, a path out of it, encrypted or there "
                "twice.",
                do=_AGAIN,
            )
        seen.add(name.casefold())


def _check_bounds(files: int, size: int, path: Path) -> None:
    if files > MOST_FILES or size > MOST_UNPACKED:
        raise DessinError(
            f"{quoted(path)} holds more than a pack may.",
            allowed=f"{MOST_FILES:,} files and {MOST_UNPACKED // MiB:,} MiB when it is unpacked.",
            do="Pack fewer runs at a time.",
        )


def _parcel(archive: ZipFile, path: Path, item: PackedItem, files: dict[str, bytes]) -> Parcel:
    """With its weights, and of format 1 with its small files, which are members too."""
    weights: dict[str, Weights] = {}
    for name, said in item.files.items():
        if name in files:
            continue
        member = f"{item.name}/{name}"
        if said.bytes != archive.getinfo(member).file_size:
            raise _other_size(item, name, path)
        with archive.open(member) as packed:
            if not _is_large(name):
                files[name] = _checked(packed.read, item, name, path)
            elif _digest(packed) != said.sha256:
                raise _other_bytes(item, name, path)
            else:
                weights[name] = Weights(path, member)
    return Parcel(item.name, item.kind, files, weights)


def _checked(read: Callable[[int], bytes], item: PackedItem, name: str, path: Path) -> bytes:
    """The next file that is read, if it is the one in the index."""
    said = item.files[name]
    data = read(said.bytes) if said.bytes <= MOST_BYTES else b""
    if len(data) != said.bytes:
        raise _other_size(item, name, path)
    if hashlib.sha256(data).hexdigest() != said.sha256:
        raise _other_bytes(item, name, path)
    return data


def _other_size(item: PackedItem, name: str, path: Path) -> DessinError:
    return DessinError(f"{item.name}/{name} in {quoted(path)} is not as large as its index says.", do=_AGAIN)


def _other_bytes(item: PackedItem, name: str, path: Path) -> DessinError:
    return DessinError(f"{item.name}/{name} in {quoted(path)} is damaged (its sha256 differs).", do=_AGAIN)


def _digest(packed: IO[bytes]) -> str:
    digest = hashlib.sha256()
    while block := packed.read(MiB):
        digest.update(block)
    return digest.hexdigest()


class _Stream:
    """What an xz stream holds, so many bytes at a time; fewer where it ends."""

    def __init__(self, packed: IO[bytes]) -> None:
        self._packed = packed
        self._unpacker = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_MOST_MEMORY)

    def read(self, size: int) -> bytes:
        parts, left = [], size
        while left and not self._unpacker.eof:
            more = self._packed.read(MiB) if self._unpacker.needs_input else b""
            if not more and self._unpacker.needs_input:
                raise EOFError("its files end too early")
            parts.append(self._unpacker.decompress(more, left))
            left -= len(parts[-1])
        return b"".join(parts)
