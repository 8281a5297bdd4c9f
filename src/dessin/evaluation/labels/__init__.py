"""Which labels may be wrong: judged by the answers of models that did not see the image in training."""

from __future__ import annotations

from dessin.evaluation.labels.confident import confident_joint, self_confidence
from dessin.evaluation.labels.judgement import Judgement, judge_labels

__all__ = ["Judgement", "confident_joint", "judge_labels", "self_confidence"]
