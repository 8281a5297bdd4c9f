"""What models say about the labels of a collection: made where models are known, shown by the audit."""

from __future__ import annotations

from dataclasses import dataclass

from dessin.schema import Section


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

    def line(self, images: int) -> str:
        """The same in a sentence, of all `images` of the collection."""
        right = f"{self.accuracy:.1%} [{100 * self.accuracy_low:.1f}, {100 * self.accuracy_high:.1f}]"
        share = f"{self.noise:.1%} [{100 * self.noise_low:.1f}, {100 * self.noise_high:.1f}]"
        return (
            f"labels of {self.judged:,} of {images:,} images judged by {self.models}, right in {right}: "
            f"about {share} may be wrong"
        )


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
