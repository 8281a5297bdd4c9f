"""What a push would do: which files it sends, what they replace, and what keeps it from doing so."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final, Literal

from dessin.answers.committee import COMMITTEE_FILE, Committee, read_committee
from dessin.errors import DessinError, listing
from dessin.files import json_text, sha256_bytes, sha256_file
from dessin.images.paths import image_path
from dessin.language import tr
from dessin.models.card import CARD_FILE, ONNX_FILE, WEIGHTS_FILE, BundleCard, read_card

README: Final = "README.md"
_OURS: Final = (CARD_FILE, COMMITTEE_FILE, WEIGHTS_FILE, ONNX_FILE, README)
# What the hub itself puts into a new repository.
_OF_THE_HUB: Final = ".gitattributes"
_PLACE: Final = re.compile(r"[/\\]")
_PUBLISHED: Final = "hub "

Content = bytes | Path
Change = Literal["new", "replaced", "same"]


@dataclass(frozen=True)
class SentFile:
    """A file by its path in the repository, with what it does to the one of that name there."""

    path: str
    content: Content
    size: int
    sha256: str
    change: Change


@dataclass(frozen=True)
class Remote:
    """A repository that exists, at its newest commit.

    `files` has of each path the digest that the hub gives: a sha256, or of a small file git's sha1.
    """

    private: bool
    commit: str
    files: Mapping[str, str]


@dataclass(frozen=True)
class PushPlan:
    """What is sent to a repository, and what of the model that was there before is removed.

    `remote` is None where the repository is made; `user` is who pushes, empty where that was not asked.
    """

    repository: str
    files: tuple[SentFile, ...]
    removed: tuple[str, ...]
    private: bool
    remote: Remote | None
    user: str

    @property
    def changed(self) -> tuple[SentFile, ...]:
        return tuple(file for file in self.files if file.change != "same")

    def lines(self) -> Iterator[str]:
        """The plan for people: where to, then each file."""
        seen = tr("private") if self.private else tr("PUBLIC: anybody can read it")
        how = tr("a new repository") if self.remote is None else tr("a repository that is there")
        yield tr("To {repository} on the hub: {how}, {seen}.", repository=self.repository, how=how, seen=seen)
        words = {"new": tr("new"), "replaced": tr("replaces the one there"), "same": tr("is there already")}
        width = max(len(path) for path in (*self.removed, *(file.path for file in self.files)))
        for file in self.files:
            yield f"  {file.path:<{width}}  {file.size / 1e6:9.3f} MB  {words[file.change]}"
        for path in self.removed:
            yield f"  {path:<{width}}  {tr('of the model before: is removed')}"
        yield tr("Not sent: drawings, pictures, names of files, the split, the record of the run.")


def make_plan(
    repository: str,
    contents: Mapping[str, Content],
    remote: Remote | None,
    *,
    public: bool,
    replace: bool,
    user: str,
) -> PushPlan:
    """Compare what would be sent with what is there.

    Raises:
        DessinError: it would replace a model and `replace` is false; files are there that no push of dessin
            made; it would be seen by anybody and `public` is false, or the other way round.
    """
    there = remote.files if remote else {}
    strange = sorted(path for path in there if not _is_ours(path) and path != _OF_THE_HUB)
    model = any(path in there for path in (CARD_FILE, COMMITTEE_FILE))
    if (strange or README in there) and not model:
        raise DessinError(
            f"{repository} holds files that are no model of dessin: {listing(strange or [README])}. Nothing "
            "of it is touched.",
            do="Choose a name that is not taken.",
        )
    files = tuple(_sent(path, content, there) for path, content in sorted(contents.items()))
    removed = tuple(sorted(path for path in there if _is_ours(path) and path not in contents))
    losing = [*(file.path for file in files if file.change == "replaced"), *removed]
    if losing and not replace:
        raise DessinError(
            f"{repository} holds another model, of which {listing(losing)} would be replaced or removed.",
            do="Give --replace if that is meant (former commits stay on the hub), or choose another name.",
        )
    if remote and remote.private == public:
        if public:
            seen, do = f"{repository} is private.", "Leave out --public"
        else:
            seen = f"{repository} is PUBLIC, so anybody could read what is pushed there."
            do = "Give --public"
        raise DessinError(seen, do=f"{do} if that is meant, or change it on its page.")
    return PushPlan(repository, files, removed, not public, remote, user)


def _is_ours(path: str) -> bool:
    return PurePosixPath(path).name in _OURS


def _sent(path: str, content: Content, there: Mapping[str, str]) -> SentFile:
    size = content.stat().st_size if isinstance(content, Path) else len(content)
    digest = sha256_file(content) if isinstance(content, Path) else sha256_bytes(content)
    found = there.get(path)
    if found is None:
        return SentFile(path, content, size, digest, "new")
    return SentFile(path, content, size, digest, "same" if is_same(content, digest, found) else "replaced")


def is_same(content: Content, sha256: str, found: str) -> bool:
    """Whether a digest that the hub gives is that of a content: its sha256, or of a small file git's sha1."""
    if len(found) == len(sha256):
        return found == sha256
    data = content.read_bytes() if isinstance(content, Path) else content
    return found == hashlib.sha1(f"blob {len(data)}\0".encode() + data, usedforsecurity=False).hexdigest()


def contents_of(folder: Path) -> dict[str, Content]:
    """The files of a model by their path in it: cards and weights, and nothing that lies beside them.

    What a card says of a place on this machine is left out; one that says nothing of it is sent as it is.
    """
    if not (folder / COMMITTEE_FILE).is_file():
        return _of_bundle(folder)
    committee = read_committee(folder)
    found: dict[str, Content] = {COMMITTEE_FILE: _without_places(folder, committee)}
    for name in committee.bundles:
        parts = _of_bundle(image_path(folder, name))
        found |= {(PurePosixPath(name) / file).as_posix(): content for file, content in parts.items()}
    return found


def _of_bundle(folder: Path) -> dict[str, Content]:
    card = read_card(folder)
    return {CARD_FILE: _without_places(folder, card), card.file: folder / card.file}


def _without_places(folder: Path, card: BundleCard | Committee) -> bytes:
    kept = {
        key: value
        for key, value in card.provenance.items()
        if key != "data" and (value.startswith(_PUBLISHED) or not _PLACE.search(value))
    }
    if kept == card.provenance:
        return (folder / card.FILE).read_bytes()
    return json_text(card.model_copy(update={"provenance": kept}).model_dump(mode="json")).encode()
