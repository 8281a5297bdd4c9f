"""The verb `vote`: files of answers in, one file of answers out, joined by image id."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal, get_args

from dessin.committees.vote.join import Align, Ballots, Voter, join
from dessin.committees.vote.measure import Rule, count_hard, count_soft
from dessin.committees.vote.result import Voted, say_outcome, write_answers, write_folder, write_submission
from dessin.committees.vote.sources import ABSTAINS, Source, read_sources
from dessin.errors import DessinError, listing, quoted, unknown
from dessin.language import tr
from dessin.ops import as_paths
from dessin.page.numbers import counted, number
from dessin.progress import say, warn


def vote(
    files: str | Path | Sequence[str | Path],
    *,
    rule: Literal["hard", "soft"] = "hard",
    out: str | Path,
    weights: str | Sequence[float] | None = None,
    temperatures: Annotated[str | Sequence[float] | None, "fit, or numbers with commas"] = None,
    align: Literal["refuse", "common"] = "refuse",
) -> Voted:
    """Join the answers of any tools by image id, and let them vote.

    Where all files are submissions (ids and answers, and nothing else), the outcome is one, with the first
    file's columns and rows: labels from a hard vote, a probability for each class from a soft one.

    Args:
        files: CSVs of labels (contest submissions among them) or of probabilities, folders of predictions,
            runs. One with weight 0 is not even read.
        rule: Count labels (hard), or average probabilities (soft), which every file must have then.
        out: A table (.csv). The outcome of a soft vote may also be a folder of predictions, which can vote
            again: name it without `.csv`.
        weights: One a file, from 0 up, such as 1,1,0.5; equal by default.
        temperatures: One a file, each p counts as p^(1/T); fit finds them on the files' own true labels.
        align: Where images differ: an error (refuse), or a vote on those that all files have (common).

    Raises:
        DessinError: a file that cannot be read for certain, other images or classes, or options that do not
            fit the files.
    """
    paths, weight, warmth = _options(as_paths(files), rule, weights, temperatures, align)
    target = Path(out)
    if any(target.resolve() == path.resolve() for path in paths):
        raise DessinError(f"{target} is one of the files that vote.", do="Choose another --out.")
    sources = read_sources(paths)
    for source in sources:
        say(source.line())
    without = [source.name for source in sources if source.probabilities is None]
    if without and (rule == "soft" or temperatures is not None):
        what = "A soft vote needs" if rule == "soft" else "Temperatures need"
        raise DessinError(
            f"{what} probabilities, and {listing(without)} has labels alone.",
            allowed="Probabilities are in a run, a folder with probabilities.npy, or a CSV with a column for "
            "each class.",
            do="Use --rule hard without temperatures, or files with probabilities.",
        )
    ballots = join(sources, align)
    for note in ballots.notes:
        say(note)
    fitted = tuple(map(_fitted, ballots.voters)) if temperatures == "fit" else warmth
    voters = (
        replace(voter, weight=own, temperature=temperature)
        for voter, own, temperature in zip(ballots.voters, weight, fitted, strict=True)
    )
    ballots = replace(ballots, voters=tuple(voters))
    count = count_soft(ballots) if rule == "soft" else count_hard(ballots)
    predicted = tuple((*ballots.classes, "")[winner] for winner in count.winners)
    voted = Voted(ballots.image_ids, predicted, ballots.classes, count, fitted)
    say_outcome(ballots, voted)
    _write(target, sources, ballots, voted)
    return voted.with_words(tr("Vote"), counted(len(voted.image_ids), "image"))


def _options(
    files: Sequence[Path],
    rule: str,
    weights: str | Sequence[float] | None,
    temperatures: str | Sequence[float] | None,
    align: str,
) -> tuple[list[Path], list[float], tuple[float, ...]]:
    """The files that count, with their weights and temperatures."""
    if rule not in get_args(Rule):
        raise unknown("rule", rule, get_args(Rule))
    if align not in get_args(Align):
        raise unknown("align", align, get_args(Align))
    if not files:
        raise DessinError("No file was given.", do="Name the files that vote.")
    given = _one_each("weight", files, weights, smallest=0.0)
    warmth = _one_each("temperature", files, None if temperatures == "fit" else temperatures, smallest=1e-6)
    counted = [i for i, weight in enumerate(given) if weight]
    if not counted:
        raise DessinError("Every weight is 0, so nobody votes.", do="Give one file a weight above 0.")
    for i, file in enumerate(files):
        if not given[i]:
            say(tr("{file}: has weight 0 and is left out", file=file))
    paths = [files[i] for i in counted]
    if len({path.resolve() for path in paths}) < len(paths):
        warn(tr("A file is named more than once; it counts each time."))
    return paths, [given[i] for i in counted], tuple(warmth[i] for i in counted)


def _one_each(
    what: str, files: Sequence[Path], given: str | Sequence[float] | None, *, smallest: float
) -> list[float]:
    if given is None:
        return [1.0] * len(files)
    try:
        numbers = [float(number) for number in (given.split(",") if isinstance(given, str) else given)]
    except ValueError:
        other = ", or fit" if what == "temperature" else ""
        raise DessinError(
            f'The {what}s are "{quoted(given)}".',
            allowed=f"They are a number for each file{other}, such as 1,1,0.5.",
        ) from None
    if len(numbers) != len(files):
        raise DessinError(f"There are {len(files)} files and {len(numbers)} {what}s.", do="Give one a file.")
    wrong = [number for number in numbers if not (math.isfinite(number) and number >= smallest)]
    if wrong:
        above = "0 or more" if smallest == 0.0 else "above 0"
        raise DessinError(f"A {what} is {wrong[0]:g}.", allowed=f"It is a number, {above}.")
    return numbers


def _fitted(voter: Voter) -> float:
    """The temperature that suits a voter's own true labels."""
    # SciPy's optimisers take longer to import than six files to vote.
    from dessin.statistics.temperature import COLDEST, HOTTEST, fit_temperature

    assert voter.probabilities is not None, "checked before"
    if voter.truth is None or (voter.truth == ABSTAINS).any():
        raise DessinError(
            f"{voter.name} has no true labels for these images, so no temperature can be fitted to it.",
            do="Fit on validation predictions, and give what is found as --temperatures.",
        )
    found = fit_temperature(voter.probabilities, voter.truth)
    say(
        tr(
            "{file}: temperature {temperature}, fitted to its {n} true labels",
            file=voter.name,
            temperature=number(found, 4),
            n=number(len(voter.truth)),
        )
    )
    if found in (COLDEST, HOTTEST):
        values = {"file": voter.name, "temperature": f"{found:g}"}
        warn(tr("{file}: no temperature is best; the log loss falls as far as {temperature}.", **values))
    return found


def _write(out: Path, sources: Sequence[Source], ballots: Ballots, voted: Voted) -> None:
    if voted.count.probabilities is not None and out.suffix.lower() != ".csv":
        write_folder(out, voted, ballots.truth)
        say(tr("predictions that can vote again: {file}", file=out))
    elif write_submission(out, sources, ballots, voted):
        say(tr("a submission of {rows}: {file}", rows=counted(len(voted.image_ids), "row"), file=out))
    else:
        write_answers(out, voted)
        say(tr("{n} answers: {file}", n=number(len(voted.image_ids)), file=out))
