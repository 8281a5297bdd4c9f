"""`calibrate` on trained models: what it measures, what it writes, and that writing twice changes nothing."""

from __future__ import annotations

import html
import shutil
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tiny_run import apart, make_drawings, make_tiny_split, tiny_recipe

from dessin.answers.committee import load_model, read_committee, set_confidence, write_committee
from dessin.answers.predictions import read_predictions
from dessin.audit.answers import read_label_answers
from dessin.committees.members import find_members, member_answers
from dessin.errors import DessinError
from dessin.files import sha256_file, write_json
from dessin.models.bundle import load_bundle, save_bundle
from dessin.models.card import WEIGHTS_FILE, read_card
from dessin.page.html import PAGE_FILE
from dessin.progress import quiet
from dessin.reading import read_csv
from dessin.runs.subject import read_subject
from dessin.runs.train import train
from dessin.serving.predict import predict
from dessin.statistics.temperature import tempered
from dessin.trust.confidence.result import ConfidenceResult
from dessin.trust.confidence.verb import calibrate
from dessin.trust.evaluate.verb import evaluate
from dessin.trust.mistakes.answered import answered

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A fold group of three runs, and a folder of drawings of none of their classes."""
    with apart(tmp_path_factory.mktemp("calibrate")) as folder, quiet():
        data = make_drawings(folder / "data")
        split = make_tiny_split(data, folder / "split.csv")
        train(tiny_recipe("probe"), folds="all", data=data, split=split, out=folder / "group", threads=1)
        for number in range(6):
            page = np.full((40, 40), 255, np.uint8)
            page[number :: 4 + number % 3] = 0
            place = folder / "foreign" / f"thing {number % 2}" / f"{number}.png"
            place.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(page).save(place)
        yield folder


@pytest.fixture
def run(made: Path, tmp_path: Path) -> Path:
    return shutil.copytree(made / "group" / "fold-0", tmp_path / "run")


@pytest.fixture
def group(made: Path, tmp_path: Path) -> Path:
    return shutil.copytree(made / "group", tmp_path / "group")


def measures(outcome: ConfidenceResult) -> dict[str, object]:
    """Everything but how long it took and whether it was written."""
    return outcome.model_dump(exclude={"seconds", "written", "name"})


def test_a_run_keeps_what_was_found_and_is_not_changed_unless_asked(
    run: Path, made: Path, tmp_path: Path
) -> None:
    card = read_card(run / "bundle")
    outcome = calibrate(run, out=tmp_path / "out", unknown=made / "foreign")
    assert ConfidenceResult.find(run) == ConfidenceResult.find(tmp_path / "out") == outcome
    assert read_card(run / "bundle") == card
    assert outcome.n == len(read_predictions(run / "validation").image_ids)
    assert outcome.rejection.folder is not None
    assert outcome.rejection.folder.n == 6
    assert outcome.rejection.folder.classes == 2
    assert {row.score for row in outcome.rejection.folder.scores} == {
        "energy",
        "max_probability",
        "negative_entropy",
        "nearest",
    }
    page = (tmp_path / "out" / PAGE_FILE).read_text()
    assert "How sure may it be" in page
    assert all(html.escape(line) in page for line in outcome.summary)
    assert "6 drawings of 2 classes" in page


def test_what_it_measures_before_is_what_the_run_says(run: Path, tmp_path: Path) -> None:
    outcome = calibrate(run, out=tmp_path / "out")
    own = read_predictions(run / "validation")
    right = own.order[:, 0] == own.targets
    expected = own.probabilities.max(axis=1).mean() - right.mean()
    assert outcome.calibration.overconfidence.before.value == pytest.approx(expected, abs=1e-5)
    assert outcome.selection.always.value == pytest.approx(right.mean())


def test_writing_twice_is_writing_once_and_leaves_the_weights(run: Path, made: Path, tmp_path: Path) -> None:
    weights = sha256_file(run / "bundle" / WEIGHTS_FILE)
    first = calibrate(run, out=tmp_path / "first", write=True)
    card = read_card(run / "bundle")
    assert card.temperature == first.calibration.temperature
    assert card.threshold == (first.selection.threshold or 0.0)
    assert card.rejection == first.rejection.chosen
    second = calibrate(run, out=tmp_path / "second", write=True)
    assert measures(first) == measures(second)
    assert read_card(run / "bundle") == card
    assert sha256_file(run / "bundle" / WEIGHTS_FILE) == weights == card.digests["weights"]


def test_a_committee_is_calibrated_as_a_whole_and_answers_out_of_fold_with_its_temperature(
    group: Path, made: Path, tmp_path: Path
) -> None:
    before = read_subject(group, None, None)
    plain = before.answers(before.rows("validation"))
    first = calibrate(group, out=tmp_path / "first", unknown=made / "foreign", write=True)
    committee = read_committee(group)
    assert first.subject == "committee"
    assert first.n == len(plain.image_ids)
    assert committee.temperature == first.calibration.temperature != 1.0
    after = read_subject(group, None, None)
    warm = after.answers(after.rows("validation"))
    np.testing.assert_allclose(
        warm.probabilities, tempered(plain.probabilities, committee.temperature), atol=1e-5
    )
    second = calibrate(group, out=tmp_path / "second", unknown=made / "foreign", write=True)
    assert measures(first) == measures(second)
    assert ConfidenceResult.find(group) == second
    assert {row.score for row in first.rejection.folder.scores} == {"max_probability", "negative_entropy"}  # type: ignore[union-attr]


def test_logits_three_times_as_large_need_three_times_the_temperature(
    group: Path, made: Path, tmp_path: Path
) -> None:
    # All folds: so few drawings as one has can be all right, and then no temperature suits them.
    calm = calibrate(group, out=tmp_path / "calm", data=made / "data")
    for bundle in sorted(group.glob("fold-*/bundle")):
        loaded = load_bundle(bundle)
        with torch.no_grad():
            for parameter in loaded.classifier.head.parameters():
                parameter.mul_(3.0)
        shutil.rmtree(bundle)
        save_bundle(bundle, loaded.classifier, loaded.card)
    write_committee(group, read_committee(group))
    sure = calibrate(group, out=tmp_path / "sure", data=made / "data")
    assert sure.calibration.temperature == pytest.approx(3 * calm.calibration.temperature, rel=1e-3)
    for name in ("log_loss", "brier", "overconfidence"):
        found, expected = (getattr(one.calibration, name).after.value for one in (sure, calm))
        assert found == pytest.approx(expected, abs=1e-3)


def test_a_bundle_is_calibrated_beside_its_run(run: Path, made: Path, tmp_path: Path) -> None:
    shutil.copytree(run / "bundle", tmp_path / "alone")
    calibrate(tmp_path / "alone", out=tmp_path / "out", data=made / "data", split=run / "split.csv")
    assert not (tmp_path / "alone" / ConfidenceResult.FILE).exists()
    assert (tmp_path / "out" / ConfidenceResult.FILE).exists()


def test_evaluation_knows_its_own_answers_again_after_a_temperature(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    warned: list[str] = []
    monkeypatch.setattr(import_module("dessin.trust.evaluate.verb"), "warn", warned.append)
    said: list[str] = []
    monkeypatch.setattr(import_module("dessin.trust.evaluate.verb"), "say", said.append)
    plain = evaluate(run).metrics
    calibrate(run, out=tmp_path / "out", write=True)
    assert read_card(run / "bundle").temperature != 1.0
    warm = evaluate(run).metrics
    assert warm.accuracy == plain.accuracy
    assert warned == []
    assert any("but for the temperature" in line for line in said)
    other = read_predictions(run / "validation").probabilities[:, ::-1]
    np.save(run / "validation" / "probabilities.npy", np.ascontiguousarray(other))
    evaluate(run)
    assert any("does not give the numbers" in line for line in warned)


def test_as_a_member_it_is_asked_with_its_temperature(group: Path) -> None:
    for fold in (0, 1, 2):
        set_confidence(group / f"fold-{fold}" / "bundle", temperature=2.0, threshold=0.0, rejection=None)
    members = find_members([group])
    table, _ = member_answers(members.members[0], members)
    subject = read_subject(group, None, None)
    at = {row.image_id: i for i, row in enumerate(members.rows)}
    answers = subject.answers(subject.rows("validation"))
    rows = [at[image_id] for image_id in answers.image_ids]
    np.testing.assert_allclose(table[rows], answers.probabilities, atol=1e-4)
    plain = read_predictions(group / "fold-0" / "validation")
    assert not np.allclose(table[[at[i] for i in plain.image_ids]], plain.probabilities, atol=1e-2)


def test_kept_answers_are_read_at_the_temperature_that_the_bundle_has_now(run: Path, made: Path) -> None:
    before = read_label_answers([run], made / "data").probabilities
    set_confidence(run / "bundle", temperature=2.0, threshold=0.0, rejection=None)
    subject = read_subject(run, None, None)
    rows = subject.rows("validation")
    now = subject.answers(rows).probabilities
    np.testing.assert_allclose(answered(subject, rows).probabilities, now, atol=1e-4)
    after = read_label_answers([run], made / "data")
    ids = [row.image_id for row in after.rows]
    np.testing.assert_allclose(after.probabilities[[ids.index(row.image_id) for row in rows]], now, atol=1e-4)
    assert not np.allclose(after.probabilities, before, atol=1e-2)


def test_predict_says_unsure_and_of_no_class(run: Path, made: Path, tmp_path: Path) -> None:
    outcome = calibrate(run, out=tmp_path / "out", write=True)
    card = read_card(run / "bundle")
    values = card.model_dump(mode="json")
    score = outcome.rejection.chosen.score

    def rows(threshold: float, limit: float) -> list[dict[str, str]]:
        values["threshold"], values["rejection"] = threshold, {"score": score, "threshold": limit}
        write_json(run / "bundle" / "bundle.json", values)
        predict(run, [made / "data" / "bars"], out=tmp_path / "answers.csv")
        return read_csv(tmp_path / "answers.csv", ["predicted", "reason"])[1]

    answered = rows(0.0, -1e9)
    assert all(row["predicted"] and not row["reason"] for row in answered)
    foreign = rows(1.0, 1e9)
    assert all(row["reason"].startswith("not a drawing of any class") for row in foreign)
    assert not any(row["predicted"] for row in foreign)
    unsure = rows(1.0, -1e9)
    assert all(row["reason"].startswith("below the threshold") for row in unsure)
    assert not any(row["predicted"] for row in unsure)


@pytest.mark.parametrize("score", ["energy", "max_probability", "negative_entropy"])
def test_predict_scores_drawings_as_the_calibration_did(
    run: Path, made: Path, tmp_path: Path, score: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_module("dessin.trust.confidence.unknown"), "_best", lambda *_: score)
    outcome = calibrate(run, out=tmp_path / "out", write=True)
    subject = read_subject(run, None, None)
    ids = [row.image_id for row in subject.rows("validation")]
    found = predict(run, [made / "data" / image_id for image_id in ids], out=tmp_path / "answers.csv")
    assert found.scores is not None
    # The threshold is the lowest score of own drawings where they are this few.
    assert outcome.rejection.chosen.score == score
    assert found.scores.min() == pytest.approx(outcome.rejection.chosen.threshold, rel=1e-4)


def test_a_precision_out_of_reach_sets_no_threshold(run: Path, tmp_path: Path) -> None:
    outcome = calibrate(run, out=tmp_path / "out", precision=0.99, write=True)
    assert outcome.selection.threshold is None
    assert read_card(run / "bundle").threshold == 0.0
    assert any("cannot be promised" in line for line in outcome.summary)


def test_unknown_drawings_that_are_known_or_broken_are_left_out(
    run: Path, made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = shutil.copytree(made / "foreign", tmp_path / "foreign")
    shutil.copytree(folder / "thing 0", folder / "Dots")
    shutil.copy(made / "data" / "bars" / "00.png", folder / "thing 0" / "own.png")
    (folder / "thing 1" / "broken.png").write_bytes(b"no image")
    warned: list[str] = []
    monkeypatch.setattr(import_module("dessin.trust.confidence.unknown"), "warn", warned.append)
    outcome = calibrate(run, out=tmp_path / "out", unknown=folder)
    assert outcome.rejection.folder is not None
    assert outcome.rejection.folder.n == 6
    assert len(warned) == 3
    assert "name of a class" in warned[0]
    assert "own collection" in warned[1]
    assert "cannot be read" in warned[2]


def test_mistakes_are_told_before_anything_is_written(run: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    for wrong in (0.0, 1.0, 1.5, float("nan")):
        with pytest.raises(DessinError, match="The precision is"):
            calibrate(run, out=out, precision=wrong)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DessinError, match="no usable images"):
        calibrate(run, out=out, unknown=tmp_path / "empty")
    with pytest.raises(DessinError, match="There is no folder"):
        calibrate(run, out=out, unknown=tmp_path / "nowhere")
    assert not out.exists()
    assert ConfidenceResult.find(run) is None
    out.mkdir()
    (out / "mine.txt").write_text("mine")
    with pytest.raises(DessinError, match="not empty"):
        calibrate(run, out=out)


def test_a_newer_file_is_refused(run: Path, tmp_path: Path) -> None:
    outcome = calibrate(run, out=tmp_path / "out")
    write_json(run / ConfidenceResult.FILE, outcome.model_dump(mode="json") | {"format": 99})
    with pytest.raises(DessinError, match="format 99"):
        ConfidenceResult.find(run)


def test_a_card_without_a_rejection_is_read_as_ever(run: Path) -> None:
    values = read_card(run / "bundle").model_dump(mode="json")
    del values["rejection"]
    write_json(run / "bundle" / "bundle.json", values)
    assert load_model(run).committee.rejection is None
