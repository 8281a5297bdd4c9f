"""What a check is, what it sees (what models say of the labels as well), and what it finds."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Literal

from dessin.collection.duplicates import Pair
from dessin.collection.manifest import Manifest, Row
from dessin.collection.measure import Measurement
from dessin.collection.scan import Scan
from dessin.language import Phrase, phrase
from dessin.page.numbers import number
from dessin.schema import Section


@dataclass(frozen=True)
class Issue:
    """One thing noticed about one image: `issue` is the name of the check that found it.

    `score` runs from 0 (barely) to 1 (surely); `other_id` is the other image of a pair, or empty.
    """

    image_id: str
    issue: str
    score: float
    other_id: str = ""
    detail: str = ""


class LabelNumbers(Section):
    """How many labels were judged, by what, and how many may be wrong.

    `noise` is the estimated share of wrong labels, `accuracy` how often the answers agree with the labels,
    both with their 95% intervals over groups.
    """

    judged: int
    models: str
    accuracy: float
    accuracy_low: float
    accuracy_high: float
    suspects: int
    noise: float
    noise_low: float
    noise_high: float
    notes: tuple[str, ...] = ()

    @property
    def right(self) -> str:
        """How often the answers agree with the labels, with its interval."""
        return _written(self.accuracy, self.accuracy_low, self.accuracy_high)

    @property
    def wrong(self) -> str:
        """How many labels may be wrong, with its interval."""
        return _written(self.noise, self.noise_low, self.noise_high)

    def line(self, images: int) -> Phrase:
        """The same in a sentence, of all `images` of the collection."""
        return phrase(
            "labels of {judged} of {images} images judged by {models}, right in {right}: about {share} may "
            "be wrong",
            judged=number(self.judged),
            images=number(images),
            models=self.models,
            right=self.right,
            share=self.wrong,
        )


def _written(value: float, low: float, high: float) -> str:
    return f"{value:.1%} [{100 * low:.1f}, {100 * high:.1f}]"


@dataclass(frozen=True)
class SuspectLabel:
    """A label that may be wrong; `score` runs from 0 to 1, `probability` is that of the suggested label.

    `like` is a typical drawing of the suggested class, `unlike` one of the given class, or empty.
    """

    image_id: str
    given: str
    suggested: str
    probability: float
    score: float
    like: str
    unlike: str


@dataclass(frozen=True)
class LabelReview:
    """The suspect labels, the worst first, and the numbers."""

    suspects: tuple[SuspectLabel, ...]
    numbers: LabelNumbers


@dataclass(frozen=True)
class Context:
    """Everything that a check may look at; `labels` is what models say, where they were asked."""

    manifest: Manifest
    scan: Scan
    pairs: tuple[Pair, ...]
    labels: LabelReview | None = None

    def images(self) -> Iterator[tuple[Row, Measurement]]:
        """Every row with its measurement."""
        return zip(self.manifest.rows, self.scan.measurements, strict=True)

    def readable(self) -> Iterator[tuple[Row, Measurement]]:
        return ((row, measured) for row, measured in self.images() if measured.readable)


@dataclass(frozen=True)
class Check(ABC):
    """One thing to look for; its fields are its parameters, each with a default.

    Attributes:
        name: what its issues are called in issues.csv and summary.json.
        title: the same for people, as a heading.
        short: the same for people, inside a line.
        summary: one sentence that says what it means and what to do about it.
        urgent: whether a person should look at it first; the others are for knowing rather than for mending.
        pairs: whether each issue puts two images in question, the other one in `other_id`.
        dropped: whether a curation sets its images aside without being asked to.
        section: where the studio lists it; nowhere if empty.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    short: ClassVar[str]
    summary: ClassVar[str]
    urgent: ClassVar[bool] = False
    pairs: ClassVar[bool] = False
    dropped: ClassVar[bool] = False
    section: ClassVar[Literal["duplicates", "conflicts", "suspects", "others", ""]] = "others"

    @abstractmethod
    def run(self, context: Context) -> list[Issue]:
        """The issues found, with scores from 0 (barely) to 1 (surely)."""

    def issue(self, row: Row, score: float, detail: str) -> Issue:
        return Issue(row.image_id, self.name, round(min(max(score, 0.0), 1.0), 4), detail=detail)
