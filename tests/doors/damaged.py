"""Every format that dessin reads: a well-formed file of it, what can go wrong with it, and its reader."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import mutations
import numpy as np
import yaml
from safetensors.numpy import save

from dessin.answers.committee import Committee
from dessin.answers.predictions import read_predictions
from dessin.answers.soft_labels import read_soft_labels
from dessin.augmentation.ops import check_ops
from dessin.collection.curation import read_curation
from dessin.collection.issues import read_issues
from dessin.collection.manifest import read_manifest
from dessin.collection.scan import _load as load_scan
from dessin.collection.split.files import read_split
from dessin.committees.distill.measure import SpeedResults
from dessin.committees.distill.result import DistillResults
from dessin.committees.ensemble.result import EnsembleResults
from dessin.committees.families.result import read_families
from dessin.committees.part_runs import begin
from dessin.committees.route.result import RouteResults
from dessin.committees.soup.result import SoupResults
from dessin.committees.vote.sources import read_sources
from dessin.doodles.check import read_answer_key
from dessin.errors import DessinError
from dessin.files import sha256_file, write_json
from dessin.models.card import read_card
from dessin.models.losses import check_loss
from dessin.reading import read_json
from dessin.reading_arrays import read_npy
from dessin.recipe import read_recipe
from dessin.reports.compare.result import RunComparison
from dessin.reports.verb import _summary as read_summary
from dessin.results import Result
from dessin.runs.executors.record import JobRecord
from dessin.runs.folds import FoldGroup
from dessin.runs.listing.find import read_workspace
from dessin.runs.record import read_record
from dessin.runs.scout import read_scout
from dessin.schema import validated
from dessin.serving.export.result import Exported
from dessin.studies.definition import read_study
from dessin.studies.result import StudyRecord, StudyResults
from dessin.trackers import check_trackers
from dessin.training.checkpoint import _read_tensors, _read_whole
from dessin.training.curve import read_curve
from dessin.training.features import _open_cached
from dessin.training.probe import read_head
from dessin.trust.card.result import TrustCard
from dessin.trust.confidence.result import ConfidenceResult
from dessin.trust.explain.result import FaithfulnessResult
from dessin.trust.mistakes.result import Atlas
from dessin.trust.robustness.result import RobustnessResult, read_answers

_STEP = "step-00000001"
OLD = Path(__file__).parents[1] / "data" / "written_by_0_1_0"

Mutate = Callable[[Random, bytes], bytes]


@dataclass(frozen=True)
class Format:
    """`file` is damaged below a folder, by one of `ways`, and `read` is given that folder."""

    name: str
    file: str
    ways: tuple[Mutate, ...]
    read: Callable[[Path], object]


def _yaml(rng: Random, data: bytes) -> bytes:
    """A recipe or study is damaged as its values are, and written with or without braces."""
    values = json.dumps(yaml.safe_load(data)).encode()
    plain = partial(yaml.safe_dump, allow_unicode=True)
    return mutations.of_values(rng, values, rng.choice((plain, json.dumps)))


_JSON = (mutations.of_bytes, mutations.of_values, mutations.of_values)
_TABLE = (mutations.of_bytes, mutations.of_table, mutations.of_table)
_YAML = (mutations.of_bytes, _yaml, _yaml)
_ARRAY = (mutations.of_bytes, mutations.of_array, mutations.of_array)
_TENSORS = (mutations.of_bytes, mutations.of_tensors, mutations.of_tensors)

_RESULTS: dict[type[Result], str] = {
    Committee: "routed/committee",
    FoldGroup: "runs/group",
    EnsembleResults: "ensemble",
    StudyRecord: "study",
    StudyResults: "study",
    DistillResults: "distilled",
    RobustnessResult: "robust",
    RouteResults: "routed",
    SoupResults: "soup",
    TrustCard: "",
    RunComparison: "compared",
    ConfidenceResult: "confidence",
    FaithfulnessResult: "maps",
    Exported: "exported",
    Atlas: "mistakes",
}


def formats(root: Path) -> tuple[Format, ...]:
    """All of them; their well-formed files are laid below `root`."""
    for path in OLD.rglob("*"):
        if path.is_file() and path.suffix in {".json", ".csv", ".npy", ".yaml"}:
            place = root / path.relative_to(OLD)
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, place)
    _add(root)
    results = (
        Format(f"{kind.__name__}", f"{folder}/{kind.FILE}".lstrip("/"), _JSON, partial(_result, kind, folder))
        for kind, folder in _RESULTS.items()
    )
    single, predictions = "runs/single", "runs/group/validation"
    classes = ("bars", "dots", "frames")
    return (
        Format("recipe", "tiny.yaml", _YAML, lambda at: read_recipe(at / "tiny.yaml")),
        Format("override", "override.txt", (mutations.of_bytes, _override), _overridden),
        Format("op", "op.txt", (mutations.of_bytes, _op), _ops),
        Format("study file", "study/study.yaml", _YAML, lambda at: read_study(at / "study/study.yaml")),
        Format("split", "split.csv", (*_TABLE, _stamp), lambda at: read_split(at / "split.csv")),
        Format("curation", "changes.csv", _TABLE, lambda at: read_curation(at / "changes.csv")),
        Format("issues", "audit/issues.csv", _TABLE, lambda at: read_issues(at / "audit/issues.csv")),
        Format(
            "manifest", "audit/manifest.csv", _TABLE, lambda at: read_manifest(at / "audit/manifest.csv", at)
        ),
        Format("audit summary", "audit/summary.json", _JSON, lambda at: read_summary(at / "audit")),
        Format("families", "families.csv", _TABLE, lambda at: read_families(at / "families.csv", classes)),
        Format("scout", "scout.csv", _TABLE, read_scout),
        Format("curve", f"{single}/curve.csv", _TABLE, lambda at: read_curve(at / single / "curve.csv")),
        Format("record", f"{single}/record.json", _JSON, lambda at: read_record(at / single)),
        Format("listing", "listed/run/record.json", _JSON, lambda at: read_workspace(at / "listed")),
        Format("card", "exported/bundle.json", _JSON, lambda at: read_card(at / "exported")),
        Format("job", "study/jobs/hflip-seed0-fold0.json", _JSON, _job),
        Format("speed", "distilled/speed.json", _JSON, _speed),
        Format("parts", "distilled/distill.json", _JSON, _parts),
        Format("answer key", "key.json", _JSON, lambda at: read_answer_key(at / "key.json")),
        *results,
        Format(
            "predictions",
            f"{predictions}/predictions.csv",
            _TABLE,
            lambda at: read_predictions(at / predictions),
        ),
        Format(
            "image ids", f"{predictions}/image_ids.csv", _TABLE, lambda at: read_predictions(at / predictions)
        ),
        Format(
            "classes", f"{predictions}/classes.csv", _TABLE, lambda at: read_predictions(at / predictions)
        ),
        Format(
            "probabilities",
            f"{predictions}/probabilities.npy",
            _ARRAY,
            lambda at: read_soft_labels(at / predictions),
        ),
        Format("voted labels", "vote/labels.csv", _TABLE, lambda at: read_sources([at / "vote/labels.csv"])),
        Format("voted numbers", "vote/wide.csv", _TABLE, lambda at: read_sources([at / "vote/wide.csv"])),
        Format(
            "voted array",
            f"{predictions}/probabilities.npy",
            _ARRAY,
            lambda at: read_sources([at / "runs/group"]),
        ),
        Format("robust answers", "robust/robustness.npy", _ARRAY, lambda at: read_answers(at / "robust")),
        Format(
            "robust images", "robust/robustness_images.csv", _TABLE, lambda at: read_answers(at / "robust")
        ),
        Format("array", "plain.npy", _ARRAY, lambda at: read_npy(at / "plain.npy")),
        Format("features", "plain.npy", _ARRAY, lambda at: _open_cached(at / "plain.npy", (12, 3))),
        Format("scan", "scan/measurements.json", _JSON, lambda at: load_scan(at / "scan", 1)),
        Format("scan array", "scan/offsets.npy", _ARRAY, lambda at: load_scan(at / "scan", 1)),
        Format("tensors", "probe.safetensors", _TENSORS, lambda at: read_head(at / "probe.safetensors")),
        Format("checkpoint", f"{_STEP}/state.json", _JSON, lambda at: _read_whole(at / _STEP)),
        Format("weights", f"{_STEP}/model.safetensors", _TENSORS, _weights),
    )


def _add(root: Path) -> None:
    """What dessin 0.1.0 left no example of."""
    (root / "changes.csv").write_text(
        "image_id,action,label,reason\na/1.png,drop,,twice\na/2.png,relabel,bars,\nb/3.png,keep,,\n"
    )
    (root / "scout.csv").write_text(
        "backbone,accuracy,low,high,n,images_per_second,parameters,chosen,reason\n"
        "lite0,0.5,0.4,0.6,100,20.5,3374000,yes,best\nlite1,,,,0,,4000000,no,none\n"
    )
    (root / "override.txt").write_text("train.epochs=3")
    (root / "op.txt").write_text("rotate(degrees=15)")
    write_json(root / "key.json", {"seed": 1, "classes": ["a"], "images": 3, "faults": [], "skipped": []})
    (root / "vote").mkdir()
    (root / "vote/labels.csv").write_text(
        "image_id,predicted,probability\na/1.png,bars,0.5\na/2.png,dots,0.9\n"
    )
    (root / "vote/wide.csv").write_text("path;bars;dots\na/1.png;0.5;0.5\na/2.png;0.25;0.75\n")
    (root / "listed/run").mkdir(parents=True)
    shutil.copyfile(OLD / "runs/single/record.json", root / "listed/run/record.json")
    np.save(root / "plain.npy", np.full((12, 3), 1 / 3, np.float32))
    (root / "probe.safetensors").write_bytes(
        save({"weight": np.ones((3, 5), np.float32), "bias": np.zeros(3, np.float32)})
    )
    _add_scan(root / "scan")
    names = ("model", "optimizer", "averages")
    for name in names:
        place = root / _STEP / f"{name}.safetensors"
        place.parent.mkdir(exist_ok=True)
        shutil.copyfile(root / "probe.safetensors", place)
    digests = {f"{name}.safetensors": sha256_file(root / "probe.safetensors") for name in names}
    state = {"fingerprint": {"dessin": "0.1.0"}, "threads": 1, "curve": [], "digests": digests}
    write_json(root / _STEP / "state.json", state)


def _add_scan(folder: Path) -> None:
    from dessin.collection.measure import Measurement

    folder.mkdir()
    kinds = {name: str(field.type) for name, field in Measurement.__dataclass_fields__.items()}
    example = {"int": 1, "float": 0.5, "str": "x", "bool": True}
    record: dict[str, Any] = {
        name: None if "None" in kind else example.get(kind.split(" ")[0], [0.5] * 3)
        for name, kind in kinds.items()
    }
    (folder / "measurements.json").write_text(json.dumps([record]))
    for name, array in {
        "hashes": np.zeros(1, np.uint64),
        "signatures": np.zeros((1, 64, 64), np.uint8),
        **dict.fromkeys(("thumbnails", "pages", "strokes"), np.zeros(3, np.uint8)),
        **dict.fromkeys(("offsets", "page_offsets", "stroke_offsets"), np.array([0, 3])),
    }.items():
        np.save(folder / f"{name}.npy", array)


def _override(rng: Random, data: bytes) -> bytes:
    return f"train.{rng.choice(('epochs', 'x', ''))}={rng.choice((*mutations.RAW, *mutations.TEXTS))}".encode(
        "utf-8", "surrogatepass"
    )


def _overridden(at: Path) -> object:
    text = (at / "override.txt").read_bytes().decode("utf-8", "surrogateescape")
    return read_recipe(at / "tiny.yaml", overrides=[text])


def _op(rng: Random, data: bytes) -> bytes:
    inner = rng.choice((*mutations.RAW, *mutations.TEXTS))
    return rng.choice(
        (inner, f"rotate({inner})", f"rotate(15, {inner})", f"{inner}(1)", f"focal({inner})")
    ).encode("utf-8", "surrogatepass")


def _ops(at: Path) -> None:
    text = (at / "op.txt").read_bytes().decode("utf-8", "surrogateescape")
    for check in (lambda: check_ops((text,)), lambda: check_loss(text), lambda: check_trackers((text,))):
        with suppress(DessinError):
            check()
    check_ops((text,))


def _stamp(rng: Random, data: bytes) -> bytes:
    """The first line of a split is JSON behind a word."""
    first, _, rows = data.partition(b"\n")
    word, brace, values = first.partition(b"{")
    return word + mutations.of_values(rng, brace + values).replace(b"\n", b"") + b"\n" + rows


def _result(kind: type[Result], folder: str, at: Path) -> object:
    kind.lies_in(at / folder)
    return kind.read(at / folder)


def _job(at: Path) -> JobRecord:
    path = at / "study/jobs/hflip-seed0-fold0.json"
    return validated(JobRecord, read_json(path), str(path))


def _speed(at: Path) -> SpeedResults:
    path = at / "distilled/speed.json"
    return validated(SpeedResults, read_json(path), str(path))


def _weights(at: Path) -> object:
    """As they would be read where the state beside them states their digest."""
    path = at / _STEP / "model.safetensors"
    return _read_tensors(path, sha256_file(path))


def _parts(at: Path) -> None:
    path, again = at / "distilled/distill.json", at / "distilled/again.json"
    shutil.copyfile(path, again)
    begin(again, {"recipe": {}}, lambda before: iter(()), what="a distillation")
