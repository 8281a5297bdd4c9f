"""A model on the hub by its name: `hub:OWNER/NAME`, at a branch, tag or commit `hub:OWNER/NAME@REVISION`.

What a model is made of is fetched into the hub's cache, and read there as any other: nothing of it is run.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final

from dessin.errors import DessinError, listing, quoted
from dessin.files import sha256_file
from dessin.models.card import CARD_FILE, ONNX_FILE, WEIGHTS_FILE, read_card
from dessin.models.hub import answer_of, hub_silence, tell_licence
from dessin.progress import say, warn
from dessin.reading import MOST_JSON

if TYPE_CHECKING:
    from huggingface_hub.hf_api import RepoSibling

PREFIX: Final = "hub:"
SHAPE: Final = "hub:OWNER/NAME"
MAIN: Final = "main"
_PART: Final = r"[A-Za-z0-9_][\w.-]{0,95}"
_REPOSITORY: Final = re.compile(rf"(?!.*(?:--|\.\.|\.git$|[-.](?:/|$))){_PART}/{_PART}", re.ASCII)
_REVISION: Final = re.compile(r"\w[\w./-]{0,199}", re.ASCII)
_COMMIT: Final = re.compile(r"[0-9a-f]{40}")
# Of one model: more are no committee that anybody would wait for.
_MOST_FILES: Final = 512
_MOST_BYTES: Final = 32 * 2**30
_TIMEOUT_S: Final = 10.0
SHORT: Final = 8


@dataclass(frozen=True)
class HubName:
    """A repository of the hub, at a branch, a tag or a commit."""

    repository: str
    revision: str = MAIN

    def __str__(self) -> str:
        at = "" if self.revision == MAIN else f"@{self.revision}"
        return f"{PREFIX}{self.repository}{at}"

    @property
    def pinned(self) -> bool:
        """Whether it means the same model for ever."""
        return bool(_COMMIT.fullmatch(self.revision))


def hub_name(given: str | Path) -> HubName | None:
    """The model of the hub that is named; None for a path.

    Raises:
        DessinError: it begins like one of the hub, and is none.
    """
    text = given.as_posix() if isinstance(given, Path) else given
    if not text.startswith(PREFIX):
        return None
    repository, _, revision = text.removeprefix(PREFIX).partition("@")
    check_repository(repository, given=text)
    if not _REVISION.fullmatch(revision or MAIN) or ".." in revision:
        raise DessinError(
            f'"{quoted(text)}" names no revision of {repository}.',
            allowed=f"A model on the hub is {SHAPE} or {SHAPE}@REVISION: a branch, a tag or a commit.",
        )
    return HubName(repository, revision or MAIN)


def check_repository(text: str, *, given: str = "") -> None:
    """Refuse what is no name of a repository.

    Raises:
        DessinError: `given` is what was typed.
    """
    if not _REPOSITORY.fullmatch(text):
        raise DessinError(
            f'"{quoted(given or text)}" is no name of a model on the hub.',
            allowed=f"It is {SHAPE if given else 'OWNER/NAME'}: each of letters, digits and single - _ .",
            do="Copy the name from the model's page.",
        )


def fetched(name: HubName, roots: Sequence[str]) -> Path:
    """The folder of a model of the hub on this machine; what is not in the hub's cache is fetched.

    `roots` are the files of which a model's folder has one. Where the hub does not answer, what was fetched
    before is taken, which is said.

    Raises:
        DessinError: no such model, a private one, none of dessin's, too large, not whole, or not here and the
            hub does not answer.
    """
    kept = _kept(name, roots)
    if kept is None or not name.pinned:
        silent = hub_silence()
        if not silent:
            kept = _fetch(name, roots)
        elif kept is None:
            raise DessinError(
                f"{name} is not on this machine, and {silent}.",
                do="Fetch it where the hub answers, and copy the hub's cache (HF_HUB_CACHE) to this machine.",
            )
        else:
            warn(f"{name}: {silent}, so the commit that was fetched before is used: {kept.name[:SHORT]}")
    for card in sorted(kept.rglob(CARD_FILE)):
        _check_weights(name, card.parent)
    return kept


def _kept(name: HubName, roots: Sequence[str]) -> Path | None:
    """Where it lies in the cache, whole: what says what it is was fetched last."""
    from huggingface_hub import try_to_load_from_cache

    for root in roots:
        found = try_to_load_from_cache(name.repository, root, revision=name.revision)
        if isinstance(found, str) and Path(found).is_file():
            return Path(found).parent
    return None


def _fetch(name: HubName, roots: Sequence[str]) -> Path:
    from huggingface_hub import HfApi, constants, hf_hub_download
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError, RevisionNotFoundError

    try:
        info = HfApi().model_info(
            name.repository, revision=name.revision, files_metadata=True, timeout=_TIMEOUT_S
        )
    except GatedRepoError:
        raise DessinError(
            f"{name} is given to those alone whom its owner lets in.",
            do="Ask for it on its page; HF_TOKEN then says who asks.",
        ) from None
    except RevisionNotFoundError:
        raise DessinError(f"{name.repository} has no revision {name.revision}.", do="Check it.") from None
    except RepositoryNotFoundError:
        raise DessinError(
            f"The hub shows no model {name.repository}: there is none, or it is private and not yours.",
            do="Check the name. For a private one sign in (hf auth login), or set HF_TOKEN.",
        ) from None
    # The client raises what its HTTP library does, which is another one in each of its major versions.
    except Exception as error:
        raise _not_given(name, error) from None
    commit, parts = str(info.sha), _parts(name, info.siblings or (), roots)
    _check_room(name, parts, Path(constants.HF_HUB_CACHE))
    if not _kept(HubName(name.repository, commit), roots):
        size = sum(part.size or 0 for part in parts) / 1e6
        say(f"Fetching {name} from the hub ({size:.1f} MB, commit {commit[:SHORT]})")
    try:
        for part in sorted(parts, key=lambda part: part.rfilename in roots):
            # By its own revision at last, so that the cache knows which commit that was.
            at = name.revision if part.rfilename in roots else commit
            path = Path(hf_hub_download(name.repository, part.rfilename, revision=at))
    except Exception as error:
        raise _not_given(name, error) from None
    if path.parent.name != commit:
        raise DessinError(f"{name} was changed while it was fetched.", do="Give the command again.")
    return path.parent


def _not_given(name: HubName, error: Exception) -> DessinError:
    return DessinError(f"The hub did not give {name} ({answer_of(error)}).", do="Give the command again.")


def _parts(name: HubName, files: Iterable[RepoSibling], roots: Sequence[str]) -> list[RepoSibling]:
    """The files that a model is made of: cards and weights, and nothing that could be run."""
    found = list(files)
    wanted = (*roots, CARD_FILE, WEIGHTS_FILE, ONNX_FILE)
    parts = [file for file in found if PurePosixPath(file.rfilename).name in wanted]
    if not any(part.rfilename in roots for part in parts):
        there = listing(sorted(file.rfilename for file in found)) or "nothing"
        raise DessinError(
            f"{name} holds no model of dessin: it has none of {', '.join(roots)}, but {there}.",
            do="A backbone of timm is named in a recipe as model.backbone; other models are not read.",
        )
    for part in parts:
        if ".." in part.rfilename.split("/") or part.rfilename.startswith("/") or "\\" in part.rfilename:
            raise DessinError(f"{name} holds a file that lies outside of it: {quoted(part.rfilename)}.")
    return parts


def _check_room(name: HubName, parts: Sequence[RepoSibling], cache: Path) -> None:
    total = sum(part.size or 0 for part in parts)
    cards = max((part.size or 0 for part in parts if part.rfilename.endswith(".json")), default=0)
    if len(parts) > _MOST_FILES or total > _MOST_BYTES or cards > MOST_JSON:
        raise DessinError(
            f"{name} is larger than a model of dessin: {len(parts):,} files, {total / 1e9:.1f} GB, a card of "
            f"{cards / 1e6:.1f} MB.",
            allowed=f"At most {_MOST_FILES} files and {_MOST_BYTES // 2**30} GiB are fetched.",
        )
    nearest = next(above for above in (cache, *cache.absolute().parents) if above.is_dir())
    free = shutil.disk_usage(nearest).free
    if total > free:
        raise DessinError(
            f"{name} has {total / 1e9:.1f} GB, and {cache} has room for {free / 1e9:.1f} GB.",
            do="Free some space, or set HF_HUB_CACHE to a folder on another disk.",
        )


def _check_weights(name: HubName, folder: Path) -> None:
    """Refuse weights other than those that their card was written for, whoever mixed them up."""
    card = read_card(folder)
    path = folder / card.file
    found, stated = sha256_file(path) if path.is_file() else "no file", card.digests["weights"]
    if found != stated:
        raise DessinError(
            f"The weights of {name} are not those that its card was written for (sha256 {found[:12]}, the "
            f"card's is {stated[:12]}), so they are not read.",
            do=f"Delete {path.resolve()} and fetch it again; if it stays so, ask its owner to push it anew.",
        )
    for licence in card.licence.split("; "):
        if licence != "none":
            tell_licence(str(name), licence)
