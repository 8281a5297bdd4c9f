"""The hub as a push sees it: who pushes, what is there, and one commit that has all or nothing."""

from __future__ import annotations

from pathlib import Path

from dessin.errors import DessinError
from dessin.models.hub import answer_of, hub_silence
from dessin.progress import on_stop
from dessin.serving.push.plan import PushPlan, Remote, is_same

_TIMEOUT_S = 10.0
_SIGN_IN = "Sign in with hf auth login, or set HF_TOKEN to a token that may write (Settings, Access Tokens)."


def unreachable() -> str:
    """Why nothing can be pushed now: the hub, or no token; empty where it can be tried."""
    from huggingface_hub import get_token

    return hub_silence() or ("" if get_token() else "there is no token that says who you are")


def who() -> str:
    """The name behind the token.

    Raises:
        DessinError: no token, one that the hub does not know, or no answer.
    """
    from huggingface_hub import HfApi

    why = unreachable()
    if why:
        raise DessinError(f"Nothing can be pushed: {why}.", do=_SIGN_IN if "token" in why else "Try later.")
    try:
        return str(HfApi().whoami()["name"])
    except Exception as error:
        raise _refused(f"The hub does not know this token ({answer_of(error)}).", error) from None


def look(repository: str) -> Remote | None:
    """What is in a repository; None where the hub shows none of this name."""
    from huggingface_hub import HfApi
    from huggingface_hub.errors import RepositoryNotFoundError

    try:
        info = HfApi().model_info(repository, files_metadata=True, timeout=_TIMEOUT_S)
    except RepositoryNotFoundError:
        return None
    # The client raises what its HTTP library does, which is another one in each of its major versions.
    except Exception as error:
        raise _refused(f"The hub does not show {repository} ({answer_of(error)}).", error) from None
    files = {
        file.rfilename: file.lfs.sha256 if file.lfs else str(file.blob_id) for file in info.siblings or ()
    }
    return Remote(private=bool(info.private), commit=str(info.sha), files=files)


def send(plan: PushPlan) -> str:
    """Carry a plan out; returns the new commit.

    It is one commit: until it is whole, the repository is as it was.

    Raises:
        DessinError: the hub refuses it, the transfer breaks off, somebody else changed the repository since
            it was looked at, or what is there now is not what was sent.
    """
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi

    api, name = HfApi(), plan.repository
    if plan.remote is None:
        try:
            api.create_repo(name, private=plan.private, exist_ok=False)
        except Exception as error:
            raise _refused(f"{name} could not be made ({answer_of(error)}).", error) from None
    parent = plan.remote.commit if plan.remote else None
    operations: list[CommitOperationAdd | CommitOperationDelete] = [
        CommitOperationAdd(file.path, str(file.content) if isinstance(file.content, Path) else file.content)
        for file in plan.changed
    ]
    operations += [CommitOperationDelete(path) for path in plan.removed]
    again = "the same command goes on, and sends nothing twice that had arrived whole"
    try:
        with on_stop(f"Nothing can be seen in {name} of what was not finished: {again}."):
            made = api.create_commit(
                name, operations, commit_message="A model, by dessin push", parent_commit=parent
            )
    except Exception as error:
        raise _refused(
            f"The push to {name} broke off, and its files are as they were ({answer_of(error)}).",
            error,
            f"{again}.",
        ) from None
    _check(plan, str(made.oid))
    return str(made.oid)


def _check(plan: PushPlan, commit: str) -> None:
    there = look(plan.repository)
    files = there.files if there else {}
    wrong = [f.path for f in plan.files if not is_same(f.content, f.sha256, files.get(f.path, ""))]
    if wrong or there is None or there.commit != commit:
        raise DessinError(
            f"{plan.repository} does not hold what was sent: {wrong[0] if wrong else 'another commit came'}.",
            do="Look at its page; somebody else may push there.",
        )


def _refused(seen: str, error: Exception, again: str = "") -> DessinError:
    answer = answer_of(error)
    do = again[:1].upper() + again[1:] or "Give the command again later."
    if "401" in answer:
        do = _SIGN_IN
    elif "403" in answer:
        do = "You may not write there, or the token may only read: take a name of your own, or another token."
    elif "409" in answer:
        do = "There is one of this name that you may not look into. Choose another."
    elif "412" in answer:
        do = "Somebody else pushed there in the meantime: look at it, then give the command again."
    return DessinError(seen, do=do)
