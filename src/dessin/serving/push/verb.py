"""The verb `push`: a model to the hub, after its plan was said."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from dessin.answers.committee import find_home, find_model, load_model
from dessin.answers.published import PREFIX, check_repository, hub_name
from dessin.errors import DessinError
from dessin.language import tr
from dessin.page.notebook import Shown
from dessin.page.numbers import listed
from dessin.progress import say
from dessin.reading import read_json
from dessin.serving.push.licences import terms_of
from dessin.serving.push.plan import README, PushPlan, contents_of, make_plan
from dessin.serving.push.readme import readme
from dessin.serving.push.remote import look, send, unreachable, who
from dessin.trust.card.sources import TrustSources, read_sources
from dessin.trust.card.verb import trust_cards

_FETCHED = "fetch.json"
_NAMED = 12


@dataclass(frozen=True, repr=False)
class Pushed(Shown):
    """What was planned, the README, and the commit that was made (empty in a dry run)."""

    plan: PushPlan
    readme: str
    commit: str


def push(
    model: str | Path,
    repository: Annotated[str, "OWNER/NAME"],
    *,
    public: bool = False,
    replace: bool = False,
    licence: str = "",
    data_licence: str = "",
    dry_run: bool = False,
) -> Pushed:
    """Put a model on the hub, with a README made from its trust card; never a drawing.

    What is sent, and what it would replace, is said before. A new repository is private. Whoever may read it
    then names the model `hub:OWNER/NAME` wherever a model is named.

    Args:
        model: A run, a bundle or a committee.
        repository: Where on the hub: your name or that of your organisation, and a name for the model.
        public: Let anybody see it, which needs `data_licence`.
        replace: Put it in the place of another model of dessin that is there.
        licence: What the weights may be passed on under, where dessin does not know their licence.
        data_licence: Under which licence, or by whose consent, the drawings were used.
        dry_run: Only say what would be sent, and show the README.

    Raises:
        DessinError: no model, a licence that forbids it or is not known, no token, no answer of the hub, or a
            repository that holds something else.
    """
    check_repository(repository)
    if hub_name(model) is not None:
        raise DessinError(f"{model} is on the hub already.", do="Name a model that lies on this machine.")
    home = find_home(Path(model))
    folder = find_model(home)
    loaded = load_model(folder)
    terms = terms_of(loaded.committee.licence, licence)
    sources = _measures(home)
    drawings = data_licence or _licence_of(sources)
    if public and not drawings:
        raise DessinError(
            "It is not known who allowed the drawings to be used, and the model would be public.",
            do='Say it, such as --data-licence "CC BY 4.0" or --data-licence "with the consent of those who '
            'drew them", or leave out --public.',
        )
    user = "" if dry_run and unreachable() else who()
    card = trust_cards([sources])[0] if sources else None
    text = readme(repository, loaded, card, terms, drawings)
    remote = look(repository) if user else None
    contents = {**contents_of(folder), README: text.encode()}
    plan = make_plan(repository, contents, remote, public=public, replace=replace, user=user)
    lines = tuple(plan.lines())
    for line in lines:
        say(line)
    names = [loaded.committee.names.get(label, label) for label in loaded.committee.classes]
    say(tr("Part of it are the names of the classes: {names}.", names=listed(names, most=_NAMED)))
    if dry_run:
        if not user:
            say(tr("The hub was not asked: {why}.", why=unreachable()))
        say(f"\n{text}")
        return _pushed(plan, text, "", lines)
    if not (plan.changed or plan.removed):
        say(tr("All of it is there already: nothing was sent."))
        return _pushed(plan, text, remote.commit if remote else "", lines)
    commit = send(plan)
    say(
        tr(
            "{name} is on the hub, commit {commit}. Use it: {command}",
            name=f"{PREFIX}{repository}",
            commit=commit[:8],
            command=f"dessin predict {PREFIX}{repository} drawing.png --out predictions.csv",
        )
    )
    return _pushed(plan, text, commit, lines)


def _pushed(plan: PushPlan, readme: str, commit: str, lines: Sequence[str]) -> Pushed:
    return Pushed(plan, readme, commit).with_words(f"{PREFIX}{plan.repository}", *lines)


def _measures(home: Path) -> TrustSources | None:
    """What was measured of the model; None where nothing was, which the README then says."""
    try:
        return read_sources(home)
    except DessinError as error:
        say(tr("Without figures: {why}", why=error.seen))
        return None


def _licence_of(sources: TrustSources | None) -> str:
    """What `dessin fetch` noted of a public collection."""
    root = sources.data if sources else None
    with suppress(DessinError):
        noted = read_json(root / _FETCHED) if root and (root / _FETCHED).is_file() else None
        if isinstance(noted, dict):
            return " ".join(str(noted.get("licence", "")).split())
    return ""
