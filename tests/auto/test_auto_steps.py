"""`auto` from its first model to its last: what lies where, what every verb takes, and what a vote is."""

from __future__ import annotations

import html
import json
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pytest
import torch
from desk import as_jpeg, photographed
from exportable import make_world
from tiny_auto import TINY, small_portfolio

import dessin
from dessin.answers.committee import find_model, load_model, read_committee
from dessin.answers.predictions import read_predictions
from dessin.auto import begin as begin_module
from dessin.auto import finish as finish_module
from dessin.auto import prepare as prepare_module
from dessin.auto import steps as module
from dessin.auto import verb as verb_module
from dessin.auto.best import heal, replace_best
from dessin.auto.state import AutoState
from dessin.auto.verb import AutoResult, auto
from dessin.collection.split.files import read_split
from dessin.committees.rules.choice import RULES
from dessin.errors import DessinError
from dessin.files import sha256_file
from dessin.runs.executors.job import JobSpec, carry_out_job
from dessin.runs.executors.record import JobRecord
from dessin.runs.record import read_record

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", autouse=True)
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Drawings by a relative path, and small networks."""
    folder = tmp_path_factory.mktemp("auto-steps")
    make_world(folder)
    threads = torch.get_num_threads()
    with pytest.MonkeyPatch.context() as patch, ExitStack() as stack:
        patch.chdir(folder)
        patch.setenv("DESSIN_CACHE", str(folder / "cache"))
        torch.set_num_threads(1)
        for each in small_portfolio():
            stack.enter_context(each)
        yield folder
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def made(world: Path) -> AutoResult:
    """One whose vote is always the best."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "LEAST_GAIN", -1.0)
        patch.setattr(module, "RULE", RULES["all soft"])
        return auto("data", out="made", models=TINY, budget="10h")


def test_each_step_is_written_down_with_its_time_and_what_came_of_it(made: AutoResult) -> None:
    state = AutoState.read(made.folder)
    assert [each.step.kind for each in state.steps] == ["probe", "tune", "committee", "tune", "committee"]
    assert [each.step.fold for each in state.steps if each.step.kind == "tune"] == [0, 1]
    assert all(each.verdict and each.seconds > 0 for each in state.steps)
    assert sum(each.seconds for each in state.steps) < state.seconds
    assert state.finished
    assert "every member of the portfolio is made" in made.ended
    page = made.report.read_text(encoding="utf-8")
    assert "What was tried" in page
    assert all(each.verdict in page for each in state.steps)


def test_the_best_model_is_a_vote_of_the_probe_and_the_tuned_folds(made: AutoResult) -> None:
    assert AutoState.read(made.folder).best == "committee-2"
    committee = read_committee(made.folder / "best")
    assert committee.provenance["made_by"] == "auto"
    assert len(committee.bundles) == 3
    assert committee.threshold == 0.0, "it answers always"
    assert "it is right" in AutoState.read(made.folder).trusted[0]
    assert len(committee.holdout_opened) == 1
    split = read_split(made.folder / "split.csv")
    kept = read_predictions(made.folder / "best" / "validation")
    assert set(kept.image_ids) == {row.image_id for row in split.rows if row.fold in (0, 1)}
    assert made.record.results["validation"].accuracy.value == pytest.approx(kept.correct.mean())
    assert made.record.results["holdout"].accuracy.n == len(split.held_out())


@dataclass
class TwoAtATime:
    """Carries jobs out in this process, the last one first, as a cluster may end them."""

    name: str = "two"
    given: list[list[str]] = field(default_factory=list)

    def places(self, threads: int) -> int:
        assert threads == 1
        return 2

    def run(self, jobs: Sequence[JobSpec]) -> Iterator[JobRecord]:
        self.given.append([job.name for job in jobs])
        for job in reversed(jobs):
            yield carry_out_job(job, self.name)


def test_folds_that_are_tuned_side_by_side_have_the_bytes_of_one_after_the_other(
    made: AutoResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = TwoAtATime()
    monkeypatch.setattr(verb_module, "choose_executor", lambda *_: cluster)
    monkeypatch.setattr(module, "LEAST_GAIN", -1.0)
    monkeypatch.setattr(module, "RULE", RULES["all soft"])
    found = auto("data", out="side-by-side", models=TINY, budget="10h", executor="ray")
    assert cluster.given == [["fold-0", "fold-1"]]
    assert [each.step.kind for each in found.steps] == ["probe", "tune", "tune", "committee"]
    for place in made.folder.glob("**/model.safetensors"):
        name = place.relative_to(made.folder)
        assert sha256_file(found.folder / name) == sha256_file(place), name
    assert found.record.results == made.record.results
    assert not list(found.folder.glob("models/**/jobs"))


def test_a_fold_that_is_lost_elsewhere_is_a_step_that_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    class Lossy(TwoAtATime):
        def run(self, jobs: Sequence[JobSpec]) -> Iterator[JobRecord]:
            yield carry_out_job(jobs[0], self.name)
            yield JobRecord(job=jobs[1].name, status="failed", reason="Its node was lost.", seconds=1.0)

    monkeypatch.setattr(verb_module, "choose_executor", lambda *_: Lossy())
    found = auto("data", out="lossy", models=TINY, budget="10h", executor="ray")
    lost = next(each for each in found.steps if each.step.fold == 1)
    assert (lost.failed, lost.verdict) == (True, "it failed: Its node was lost.")
    assert [each for each in found.steps if each.failed] == [lost], "the vote does without it"
    assert not (found.folder / "models" / lost.step.name).exists()
    assert found.record.results["holdout"]


def test_the_home_of_a_vote_tells_of_the_vote_and_of_no_single_run(made: AutoResult) -> None:
    state, split = AutoState.read(made.folder), read_split(made.folder / "split.csv")
    page = html.unescape(made.report.read_text(encoding="utf-8"))
    assert made.record.counts.train == len(split.training(None))
    steps = sum(each.seconds for each in state.done)
    assert sum(made.record.timings.values()) == pytest.approx(steps, abs=0.01)
    assert "Each was named by a model that had not learnt from it (out of fold)." in page
    assert f"dessin auto data --out made-again --budget 600m --models {TINY}" in page
    assert "recipe.yaml" not in page


def test_every_verb_takes_the_folder_itself(made: AutoResult, tmp_path: Path) -> None:
    assert find_model(made.folder) == made.folder / "best"
    assert load_model(made.folder).committee == read_committee(made.folder / "best")
    dessin.predict(made.folder, ["data/cat"], out=tmp_path / "predictions.csv")
    dessin.mistakes(made.folder, out=tmp_path / "mistakes")
    dessin.card(made.folder, out=tmp_path / "card.html")
    assert "3 models" in (tmp_path / "card.html").read_text(encoding="utf-8")
    found = dessin.evaluate(made.folder)
    assert found.metrics.accuracy.value == made.record.results["validation"].accuracy.value
    dessin.calibrate(made.folder, out=tmp_path / "confidence")
    with pytest.raises(DessinError, match="fitted to every drawing"):
        dessin.explain(made.folder, out=tmp_path / "maps")


def test_the_same_command_finds_it_finished(made: AutoResult) -> None:
    before = (made.folder / "auto.json").read_bytes()
    again = auto("data", out="made", models=TINY, budget="10h")
    assert again.record == made.record
    assert (made.folder / "auto.json").read_bytes() == before


def test_its_home_leads_to_everything_that_lies_in_the_folder(made: AutoResult) -> None:
    def links() -> set[str]:
        text = (made.folder / "index.html").read_text(encoding="utf-8")
        return {to for to in re.findall(r'href="([^"]+)"', text) if not to.startswith(("#", "data:"))}

    found = links()
    assert all((made.folder / to).is_file() for to in found)
    assert {"audit/index.html", "split.csv", "holdout/predictions.csv", "best/committee.json"} <= found
    runs = {path.relative_to(made.folder).as_posix() for path in made.folder.glob("models/**/record.json")}
    assert runs
    assert runs <= found
    # What has come to lie there is linked once the same command is given again.
    dessin.card(made.folder, out=made.folder / "card.html")
    auto("data", out="made", models=TINY, budget="10h")
    assert links() == found | {"card.html"}


def test_every_page_is_two_clicks_from_the_home_and_leads_back_to_it(made: AutoResult) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(finish_module, "LEAST_FOR_CARD", 0.0)
        finish_module.fill_card(made.folder, 600.0)
    auto("data", out="made", models=TINY, budget="10h")
    home = made.folder / "index.html"

    def linked(page: Path) -> set[Path]:
        found = re.findall(r'href="([^"#]+)"', page.read_text(encoding="utf-8"))
        return {(page.parent / unquote(to)).resolve() for to in found if not to.startswith("data:")}

    once = linked(home)
    twice = set[Path]().union(*(linked(page) for page in once if page.suffix == ".html"))
    pages = {page.resolve() for page in made.folder.rglob("*.html")}
    assert {"audit", "holdout", "trust", "confidence", "mistakes"} <= {page.parent.name for page in pages}
    assert pages - {home.resolve()} <= once | twice
    assert all(to.exists() for to in once | twice)
    for page in pages - {home.resolve()}:
        assert home.resolve() in linked(page), f"no way back from {page}"
    card = (made.folder / "trust" / "index.html").read_text(encoding="utf-8")
    assert "Where it looks: not possible." in card
    assert "dessin explain" not in card, "what cannot be is no next step"


def test_a_probe_of_all_folds_says_how_good_it_is(made: AutoResult) -> None:
    run = made.folder / "models" / "probe-32"
    record, split = read_record(run), read_split(made.folder / "split.csv")
    assert record.recipe.data.fold == "none"
    assert record.results["validation"].accuracy.n == record.counts.train == len(split.training(None))
    kept = read_predictions(run / "validation")
    np.testing.assert_allclose(kept.probabilities.sum(axis=1), 1.0, atol=1e-5)
    asked = dessin.evaluate(run)
    assert asked.metrics.accuracy == record.results["validation"].accuracy
    with pytest.raises(DessinError, match="in one view alone"):
        dessin.evaluate(run, views="hflip")
    with pytest.raises(DessinError, match="is a probe of all folds"):
        dessin.ensemble([run, made.folder / "models" / "tuned-test_efficientnet-32-2" / "fold-0"],
                        views="hflip", out=made.folder.with_name("viewed"))  # fmt: skip


def test_a_step_that_fails_leaves_the_best_model(world: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_given: object) -> None:
        raise DessinError("The training collapsed.")

    monkeypatch.setattr(module, "_tune", fail)
    result = auto("data", out="failed", models=TINY, budget="10h")
    assert [(each.step.kind, each.failed) for each in result.steps] == [("probe", False), ("tune", True)]
    assert "a step failed" in result.ended
    assert json.loads((result.run / "record.json").read_text())["recipe"]["finetune"]["mode"] == "probe"


def test_a_handful_of_drawings_is_judged_by_all_folds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(begin_module, "LEAST_HELD_IMAGES", 30)
    result = auto("data", out="few", models=TINY, budget="10h")
    assert not result.split.held_out()
    assert list(result.record.results) == ["validation"]
    assert not (result.folder / "holdout").exists()
    voted = [each for each in result.steps if each.step.kind == "committee"]
    assert all("alone" in each.verdict or "no better" in each.verdict for each in voted)
    assert AutoState.read(result.folder).best in {each.step.name for each in result.steps}
    page = result.report.read_text(encoding="utf-8")
    assert "No drawings were set aside: one of 10 drawings of 10 groups would say little" in page


def test_of_photographs_every_run_sees_the_page_and_the_report_shows_it(
    world: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number, path in enumerate(sorted((world / "data").rglob("*.png"))):
        place = world / "photographs" / path.parent.name / f"{path.stem}.jpg"
        place.parent.mkdir(parents=True, exist_ok=True)
        taken = photographed(path.read_bytes(), number, height=240, width=320)
        place.write_bytes(as_jpeg(taken) if number % 5 == 0 else path.read_bytes())
    result = auto("photographs", out="of-photographs", models=TINY, budget="10h")
    state = AutoState.read(result.folder)
    assert state.page is not None
    assert state.page.value == "auto"
    assert 0 < len(state.photographs) <= 4
    runs = [read_record(path.parent) for path in (result.folder / "models").rglob("record.json")]
    assert runs
    for record in runs:
        assert record.recipe.image.page == "auto"
        (said,) = (each for each in record.decisions if each.name == "page")
        assert said.reason == state.page.reason
    model = load_model(result.folder)
    assert model.page == "auto"
    page = result.report.read_text(encoding="utf-8")
    assert state.page.reason in page
    assert all(image_id in page for image_id in state.photographs)
    # The same command goes on without looking again.
    monkeypatch.setattr(prepare_module, "photographs_of", None)
    again = auto("photographs", out="of-photographs", models=TINY, budget="10h")
    assert again.record == result.record


def test_of_a_contest_the_submission_is_written(world: Path) -> None:
    contest = world / "contest"
    rows = ["id,label"]
    (contest / "train").mkdir(parents=True)
    (contest / "test").mkdir()
    for path in sorted((world / "data").rglob("*.*")):
        name = f"{path.parent.name}_{path.name}"
        shutil.copyfile(path, contest / "train" / name)
        rows.append(f"{name},{path.parent.name}")
    for path in sorted((world / "data").rglob("*.*"))[::5]:
        shutil.copyfile(path, contest / "test" / path.name)
    tests = ["id", *sorted(path.name for path in (contest / "test").iterdir())]
    (contest / "train.csv").write_text("\n".join(rows) + "\n")
    (contest / "test.csv").write_text("\n".join(tests) + "\n")
    result = auto("contest", out="contested", models=TINY, budget="10h")
    written = (result.folder / "submission.csv").read_text().splitlines()
    assert len(written) == len(tests)


def test_one_model_takes_the_place_of_another_whole(tmp_path: Path) -> None:
    def one(name: str) -> None:
        replace_best(tmp_path, lambda place: (place.mkdir(), (place / name).touch())[0])

    def broken(place: Path) -> None:
        place.mkdir()
        raise OSError(28, "No space left on device")

    one("first")
    one("second")
    with pytest.raises(DessinError):
        replace_best(tmp_path, broken)
    assert [path.name for path in (tmp_path / "best").iterdir()] == ["second"]
    # Killed between the two renames.
    shutil.move(tmp_path / "best", tmp_path / ".best-last")
    heal(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["best"]
