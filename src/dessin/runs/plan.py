"""What a training run will do, and why: a frozen plan, made without reading a pixel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dessin.collection.curation import Curation
from dessin.collection.split.files import Assignment, Split
from dessin.decisions import Decision
from dessin.errors import DessinError
from dessin.language import Phrase, phrase, retold, tr
from dessin.page.numbers import counted, listed
from dessin.recipe import FinetuneSpec, Recipe
from dessin.runs.inputs import curate_rows, curation_decision

if TYPE_CHECKING:
    from dessin.models.backbones import BackboneInfo
    from dessin.models.weights import Weights

_PAGE = "asked for in the recipe: of a photograph of paper the sheet is looked at, all else stays as it is"


@dataclass(frozen=True)
class Pretrained:
    """The backbone as it comes, and those beside it, which have none beside themselves."""

    info: BackboneInfo
    weights: Weights
    beside: tuple[Pretrained, ...] = ()

    @property
    def bodies(self) -> tuple[Pretrained, ...]:
        """All of them, the first one first."""
        return (self, *self.beside)

    @property
    def digests(self) -> tuple[str, ...]:
        """The sha256 of each body's weights; empty for random ones."""
        return tuple(body.weights.sha256 for body in self.bodies)


@dataclass(frozen=True)
class Tuning:
    """What was decided for fine-tuning on this machine; `usual` are what the recipe left open."""

    precision: Decision[str]
    batch_size: Decision[int]
    trained: Decision[str]
    batch_norm: Decision[str]
    steps_per_epoch: int
    usual: tuple[Decision[float], ...] = ()


@dataclass(frozen=True)
class RunPlan:
    """The rows to train and validate on, and every choice made for the recipe's `auto`s.

    `tuning` is None for a probe. `curation_digest` is that of the curation of the training rows, or empty.
    """

    recipe: Recipe
    classes: tuple[str, ...]
    train: tuple[Assignment, ...]
    validation: tuple[Assignment, ...]
    held_out: int
    backbone: tuple[Decision[str], ...]
    device: Decision[str]
    tuning: Tuning | None
    further: tuple[Decision[object], ...]
    curation_digest: str = ""

    @property
    def decisions(self) -> tuple[Decision[object], ...]:
        """All of them, in the order of the record."""
        tuning = self.tuning
        tuned: tuple[Decision[object], ...] = ()
        if tuning is not None:
            tuned = (tuning.precision, tuning.batch_size, tuning.trained, tuning.batch_norm, *tuning.usual)
        return (*self.backbone, self.device, *tuned, *self.further)

    @property
    def crossed(self) -> bool:
        """Whether it is a probe of all folds: its choice of a penalty tells what it says unseen."""
        folds = {row.fold for row in self.train}
        return self.tuning is None and not self.validation and len(folds) > 1 and not self.curation_digest

    @property
    def unvalidated(self) -> tuple[str, ...]:
        """The classes without a validation image; none where nothing is validated at all."""
        seen = {row.label for row in self.validation}
        return tuple(label for label in self.classes if seen and label not in seen)

    def lines(self) -> list[str]:
        """The plan for people, a line a fact."""
        labels = self.unvalidated
        unsaid = f"{len(labels)} classes have no validation image, so nothing is said of them"
        if len(labels) == 1:
            unsaid = "1 class has no validation image, so nothing is said of it"
        return [
            tr("Plan"),
            f"  data: {retold(_data_line(self))}",
            *([f"  unvalidated: {retold(unsaid)}: {listed(labels)}"] if labels else []),
            f"  image: {self.recipe.image.words}",
            f"  training: {retold(_training_line(self))}",
            *([f"  {line}" for line in self.recipe.pipeline.lines()] if self.tuning else []),
            *(f"  {decision.line()}" for decision in self.decisions),
        ]


def rows_of(
    split: Split, recipe: Recipe, curation: Curation | None = None
) -> tuple[tuple[Assignment, ...], tuple[Assignment, ...]]:
    """The training rows that the recipe's fold means, after `curation`, and the validation rows."""
    fold = None if recipe.data.fold == "none" else recipe.data.fold
    if fold is not None and not 0 <= fold < split.folds:
        raise DessinError(
            f"The recipe asks for fold {fold}.",
            allowed=f"The split has folds 0 to {split.folds - 1}; `none` trains on all but the holdout.",
            do="Set data.fold.",
        )
    train = split.training(fold)
    validation = () if fold is None else split.validation(fold)
    if fold is not None and not validation:
        raise DessinError(f"Fold {fold} of the split holds no image.", do="Make a split with fewer folds.")
    dealt = {row.label for row in train}
    if curation is not None:
        train = curate_rows(train, curation, split.classes)
    present = {row.label for row in train}
    missing = [label for label in split.classes if label not in present]
    if missing and set(missing) <= dealt:
        left = (
            f"leaves no image to train on in {counted(len(missing), 'class', 'classes')}: {listed(missing)}"
        )
        raise DessinError(
            f"The training curation {left}.",
            do="Keep some of their drawings, or set data.training_curation to null.",
        )
    if missing:
        raise DessinError(
            f"{counted(len(missing), 'class has', 'classes have')} no image to train on: {listed(missing)}.",
            do="Add drawings of them, drop them by a curation, or choose another fold, and split again.",
        )
    return train, validation


def plan_run(
    recipe: Recipe,
    split: Split,
    pretrained: Pretrained,
    device: Decision[str],
    tuning: Tuning | None,
    *,
    teacher: Decision[str] | None = None,
    curation: Curation | None = None,
    page: Decision[str] | None = None,
    text: Decision[str] | None = None,
) -> RunPlan:
    """Plan a run from facts alone; `page` is why the page is looked for, if the recipe's author says it.

    `text` says where a text tower is from, or why there is none.
    """
    info = pretrained.info
    train, validation = rows_of(split, recipe, curation)
    further: list[Decision[object]] = [each for each in (teacher, text) if each is not None]
    if info.input_size != recipe.image.size:
        reason = f"asked for in the recipe; the backbone was pretrained at {info.input_size} px"
        further.append(Decision("size", recipe.image.size, reason))
    if recipe.image.page == "auto":
        further.append(page or Decision("page", "auto", _PAGE))
    if curation is not None:
        named, before = str(recipe.data.training_curation), rows_of(split, recipe)[0]
        further.append(curation_decision(named, curation, before, train))
    return RunPlan(
        recipe=recipe,
        classes=recipe.data.classes(split.classes),
        train=train,
        validation=validation,
        held_out=len(split.held_out()),
        backbone=(
            *(
                _weights(number, asked, body.weights)
                for number, ((_, asked), body) in enumerate(
                    zip(recipe.model.bodies, pretrained.bodies, strict=True)
                )
            ),
            Decision("interpolation", info.interpolation, info.interpolation_reason),
            Decision("normalisation", _normalisation(info), "the backbone's own"),
            *_joined(pretrained),
        ),
        device=device,
        tuning=tuning,
        further=tuple(further),
        curation_digest=curation.digest if curation else "",
    )


def _weights(number: int, asked: str, weights: Weights) -> Decision[str]:
    """Where the weights of a body are from; the first has the number 0."""
    how = "the first of path, package, hub" if asked == "auto" else "asked for in the recipe"
    what = f"sha256 {weights.sha256[:12]}…, licence {weights.licence}"
    why = f"{how}; {what if weights.sha256 else 'random numbers drawn from the seed'}"
    if not number:
        return Decision("weights", weights.source, why)
    return Decision(f"weights beside {number}", f"{weights.backbone}: {weights.source}", why)


def _joined(pretrained: Pretrained) -> list[Decision[str]]:
    """What it means that several bodies read each image; nothing of one alone."""
    if not pretrained.beside:
        return []
    bodies = pretrained.bodies
    millions = " + ".join(f"{body.info.parameters / 1e6:.1f}" for body in bodies)
    reason = (
        f"asked for in the recipe; {millions} million parameters: each image goes through all of them, so an "
        "answer takes the sum of their times"
    )
    others = dict.fromkeys(_normalisation(body.info) for body in pretrained.beside)
    apart = [text for text in others if text != _normalisation(pretrained.info)]
    if apart:
        reason += f"; each with its own normalisation, beside the first: {', '.join(apart)}"
    resampled = [
        body.info.name
        for body in pretrained.beside
        if body.info.interpolation != pretrained.info.interpolation
    ]
    if resampled:
        reason += f"; {listed(resampled)} would resample otherwise, and reads the pixels of the first"
    return [Decision("bodies", " + ".join(body.info.name for body in bodies), reason)]


def _data_line(plan: RunPlan) -> str:
    validated = "none to validate on (fold none: every image but the holdout is trained on)"
    if plan.validation:
        validated = f"{len(plan.validation):,} to validate on (fold {plan.recipe.data.fold})"
    elif plan.crossed:
        validated = "each of them named by a probe of the other folds too"
    return (
        f"{counted(len(plan.train), 'image')} of {len(plan.classes)} classes to train on, {validated}; "
        f"{plan.held_out:,} in the holdout stay closed"
    )


def _training_line(plan: RunPlan) -> str:
    recipe = plan.recipe
    finetune, optimizer, train = recipe.finetune, recipe.optimizer, recipe.train
    if plan.tuning is None:
        layers = "several layers of " if recipe.model.features == "several" else ""
        what = f"a linear probe on frozen features of {layers}{_bodies(recipe)}; no epoch of fine-tuning"
        return what + ("; answers from the mirror image too" if recipe.model.mirrored else "")
    lr, decay = (
        "as usual" if value is None else value if isinstance(value, str) else f"{value:g}"
        for value in (optimizer.lr, optimizer.weight_decay)
    )
    parts = [
        phrase(
            "{backbone}, {head}, {epochs} of {steps}",
            backbone=recipe.model.backbone,
            head=_head(finetune),
            epochs=counted(train.epochs, "epoch"),
            steps=counted(plan.tuning.steps_per_epoch, "step"),
        ),
        f"{optimizer.name}, lr {lr}, {optimizer.schedule}, weight decay {decay}",
        recipe.loss,
        *_extras(recipe),
    ]
    return Phrase("; ".join(parts), "; ".join(map(retold, parts)))


def _head(finetune: FinetuneSpec) -> Phrase:
    kinds = {
        "new": phrase("a new {head} head", head=finetune.head),
        "probe": phrase("a {head} head that starts from a probe", head=finetune.head),
        "imagenet": phrase("a {head} head that starts from ImageNet's rows", head=finetune.head),
    }
    return kinds[finetune.start]


def _extras(recipe: Recipe) -> list[str]:
    """What is on beside the usual, so that nothing acts unsaid."""
    model, finetune, optimizer, train = recipe.model, recipe.finetune, recipe.optimizer, recipe.train
    switches = {
        "features of several layers": model.features == "several",
        "answers from the mirror image too": model.mirrored,
        f"dropout {model.drop_rate:g}": model.drop_rate,
        f"drop path {model.drop_path:g}": model.drop_path,
        f"drop block {model.drop_block:g}": model.drop_block,
        f"cached views {finetune.cached_views}": finetune.cached_views,
        f"layer decay {finetune.layer_decay:g}": finetune.layer_decay < 1,
        f"SAM {optimizer.sam:g}": optimizer.sam,
        f"gradient norm at most {optimizer.clip_norm}": optimizer.clip_norm,
        f"{train.accumulate} batches a step": train.accumulate > 1,
        f"EMA {train.ema:g}": train.ema,
        f"mean of the last {train.average_last} epochs": train.average_last,
        f"class weights {train.class_weights}": train.class_weights != "none",
        f"early stop after {counted(train.early_stop or 0, 'epoch')}": train.early_stop,
        "compiled": train.compile,
    }
    return [text for text, on in switches.items() if on]


def _bodies(recipe: Recipe) -> str:
    """Weights from a run or a file have their decision, where they are named."""
    named = [
        f"{name} ({weights})" if weights in ("drawn", "none") else name
        for name, weights in recipe.model.bodies
    ]
    return listed(named) if recipe.model.beside else recipe.model.backbone


def _normalisation(info: BackboneInfo) -> str:
    return f"mean {_triple(info.mean)}, std {_triple(info.std)}"


def _triple(values: tuple[float, float, float]) -> str:
    return f"{values[0]:g}" if len(set(values)) == 1 else "/".join(f"{value:.3g}" for value in values)
