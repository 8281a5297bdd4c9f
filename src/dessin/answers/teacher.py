"""A teacher: soft labels to learn from, joined to training images, tempered and mixed with their labels.

Hinton, Vinyals and Dean, "Distilling the knowledge in a neural network" (2015), with a temperature for the
teacher alone: for cross entropy, the loss of a mixture of targets is the mixture of their losses.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dessin.answers.soft_labels import Floats, read_soft_labels
from dessin.decisions import Decision
from dessin.errors import DessinError
from dessin.recipe import TeacherSpec
from dessin.statistics.temperature import tempered

_NAMED = 3


@dataclass(frozen=True, eq=False)
class Teacher:
    """What a teacher says of a run's training images, (n, C) float32 in their order; the files' digest."""

    probabilities: Floats
    digest: str
    decision: Decision[str]


def read_teacher(spec: TeacherSpec, image_ids: Sequence[str], classes: Sequence[str]) -> Teacher | None:
    """The teacher that a recipe names, joined to the training images by id and to the classes by name.

    Raises:
        DessinError: as `read_soft_labels`, other classes, or a training image that it says nothing of.
    """
    if spec.labels is None:
        return None
    labels = read_soft_labels(Path(spec.labels))
    if set(labels.classes) != set(classes):
        strange = sorted(set(labels.classes) ^ set(classes))
        raise DessinError(
            f"The soft labels in {spec.labels} have {len(labels.classes)} classes and the split has "
            f"{len(classes)}; they differ in {strange[0]}.",
            do="Use a teacher of the same classes.",
        )
    known = set(labels.image_ids)
    missing = [image_id for image_id in image_ids if image_id not in known]
    if missing:
        more = " …" if len(missing) > _NAMED else ""
        raise DessinError(
            f"The soft labels in {spec.labels} say nothing of {len(missing):,} of {len(image_ids):,} "
            f"training images: {', '.join(missing[:_NAMED])}{more}.",
            do="Let the teacher answer every training image of this fold.",
        )
    digest = labels.digest
    source = f"soft labels in {spec.labels}, at temperature {spec.temperature:g}"
    reason = f"{source}; the rest is the label; sha256 {digest[:12]}…"
    decision = Decision("teacher", f"{spec.weight:g} of each target", reason)
    return Teacher(labels.table(image_ids, classes), digest, decision)


def teacher_targets(probabilities: Floats, labels: NDArray[np.int64], spec: TeacherSpec) -> Floats:
    """Targets (n, C) float32: `weight` of the tempered probabilities (n, C), the rest one-hot labels (n,)."""
    targets = spec.weight * tempered(probabilities, spec.temperature)
    targets[np.arange(len(labels)), labels] += 1.0 - spec.weight
    return targets.astype(np.float32)
