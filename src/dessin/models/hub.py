"""The hub that published weights come from: what its cache holds, whether it answers, and fetching."""

from __future__ import annotations

import os
import re
import threading
from pathlib import Path

from dessin.errors import DessinError
from dessin.files import sha256_file
from dessin.models.torchvision_ops import import_timm
from dessin.progress import say, warn_once

_CONNECT_S = 3.0
_SUFFIX = ".safetensors"
# What anybody may use, change and pass on; of other licences a person is told.
_FREE = ("apache-2.0", "mit", "bsd-3-clause", "cc0-1.0", "cc-by-4.0")


def hub_file(name: str) -> tuple[str, str]:
    """The repository and the file of a timm model on the hub; empty where it has no safetensors there."""
    config = import_timm().models.get_pretrained_cfg(name)
    repository = (config.hf_hub_id if config else "") or ""
    file = (config.hf_hub_filename if config else "") or f"model{_SUFFIX}"
    return (repository, file) if repository and file.endswith(_SUFFIX) else ("", "")


def cached_file(name: str) -> Path | None:
    """The file of a timm model in the hub's cache on this machine; the hub is not asked."""
    repository, file = hub_file(name)
    return cached_path(repository, file) if repository else None


def cached_path(repository: str, file: str) -> Path | None:
    """A file of a repository in the hub's cache on this machine; the hub is not asked."""
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(repository, file)
    return Path(found) if isinstance(found, str) else None


def fetch_file(name: str, licence: str) -> Path:
    """Fetch the file of a timm model into the hub's cache.

    Raises:
        DessinError: `seen` says why it is not to be had.
    """
    repository, file = hub_file(name)
    if not repository:
        raise DessinError("its published weights are not a safetensors file on the hub")
    return fetch_path(repository, file, f"the weights of {name}", licence)


def fetch_path(repository: str, file: str, what: str = "", licence: str = "") -> Path:
    """Fetch a file of a repository, `what` it is in words, into the hub's cache.

    Raises:
        DessinError: `seen` says why it is not to be had.
    """
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import GatedRepoError

    silent = hub_silence()
    if silent:
        raise DessinError(f"they are not on this machine and {silent}")
    say(f"Fetching {what or file} from the hub ({repository}{f', licence {licence}' if licence else ''})")
    try:
        return Path(hf_hub_download(repository, file, etag_timeout=_CONNECT_S))
    except GatedRepoError:
        raise DessinError(
            f"the hub gives them to those alone who consented to their licence ({licence}), which is done "
            f"on the page of {repository} there; HF_TOKEN then says who asks"
        ) from None
    # The client raises what its HTTP library does, which is another one in each of its major versions.
    except Exception as error:
        raise DessinError(f"the hub did not give them ({answer_of(error)})") from None


def answer_of(error: BaseException | None) -> str:
    """What the hub answered, where that is what was wrong: the client wraps it in errors of its own."""
    kind = ""
    while error is not None:
        status = getattr(getattr(error, "response", None), "status_code", None)
        if status is not None:
            return f"it answered {status}"
        kind, error = type(error).__name__, error.__cause__ or error.__context__
    return kind


def checked_digest(name: str, path: Path) -> str:
    """The sha256 of a file from the hub, whose cache names large files by it.

    Raises:
        DessinError: the file is not what the hub sent.
    """
    digest, stated = sha256_file(path), path.resolve().name
    if re.fullmatch("[0-9a-f]{64}", stated) and stated != digest:
        raise DessinError(
            f"The weights of {name} in the hub's cache are damaged "
            f"(sha256 {digest[:12]}, the hub's is {stated[:12]}), so they are not read.",
            do=f"Delete {path.resolve()} and fetch them again.",
        )
    return digest


def tell_licence(name: str, licence: str) -> None:
    """Say once where a licence is not one of those that let anybody do anything."""
    if licence.lower() not in _FREE:
        warn_once(
            f"licence {name}",
            f'The weights of {name} have the licence "{licence}"; read it before you use or share a model.',
        )


def hub_silence() -> str:
    """Why the hub cannot be asked; empty where it answers. It is asked once, for at most 3 seconds.

    The hub's own client retries for half a minute, and a name that is looked up has no time limit.
    """
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        return "the hub is not asked, for HF_HUB_OFFLINE is set"
    if any(os.environ.get(name) for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")):
        return ""
    reached: list[bool] = []
    asking = threading.Thread(target=lambda: reached.append(_reaches(constants.ENDPOINT)), daemon=True)
    asking.start()
    asking.join(_CONNECT_S)
    return "" if any(reached) else "the hub cannot be reached"


def _reaches(address: str) -> bool:
    """Whether anything is answered; one that is connected to and says nothing is as good as gone."""
    import httpx

    try:
        httpx.head(address, timeout=_CONNECT_S)
    except (httpx.HTTPError, httpx.InvalidURL, OSError):
        return False
    return True
