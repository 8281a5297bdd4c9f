"""The few-shot benchmark at work: a task without leaks, cells measured once, and dessin from end to end."""

from __future__ import annotations

import csv
import runpy
import sys
from pathlib import Path

import pytest
from PIL import Image

from dessin.doodles.drawing import draw_doodle
from dessin.progress import quiet

pytestmark = pytest.mark.slow

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))

import few_shot  # noqa: E402
import few_shot_table as tables  # noqa: E402
import few_shot_tasks as tasks  # noqa: E402

CLASSES = ("car", "fish", "sun")
PHOTOS, OF_A_PHOTO = 12, 3
BY_PHOTO = r"^(.*)-\d+\.\w+$"


@pytest.fixture(scope="module")
def drawings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("few") / "drawings"
    for label in CLASSES:
        (folder / label).mkdir(parents=True)
        for i in range(PHOTOS * OF_A_PHOTO):
            doodle = draw_doodle(label, i, seed=0)
            name = f"photo{i // OF_A_PHOTO}-{i % OF_A_PHOTO}{Path(doodle.image_id).suffix}"
            (folder / label / name).write_bytes(doodle.data)
    return folder


def options(out: Path, monkeypatch: pytest.MonkeyPatch, *given: str) -> None:
    monkeypatch.setattr(sys, "argv", ["few_shot.py", "--out", str(out), *given])


def test_a_task_parts_no_group_and_hides_the_classes_of_its_test_part(drawings: Path, tmp_path: Path) -> None:
    with quiet():
        folder = tasks.make_task(tasks.Source("own", "folder", drawings, BY_PHOTO), 4, tmp_path)
    trained, tested = tasks.read_key(folder, "train"), tasks.read_key(folder, "test")
    facts = tasks.read_task(folder)
    assert (facts.name, facts.classes, facts.trained, facts.tested) == ("own4", 3, len(trained), len(tested))
    assert facts.grouped
    assert not facts.seen
    assert {row["group"] for row in trained}.isdisjoint(row["group"] for row in tested)
    for row in trained:
        assert (folder / "train" / row["file"]).read_bytes() == (drawings / row["file"]).read_bytes()
    assert sorted(path.name for path in (folder / "test").iterdir()) == [row["file"] for row in tested]
    assert all(Path(row["file"]).stem.isdecimal() for row in tested)
    with (folder / "train" / tasks.TRAINING_TABLE).open(newline="") as lines:
        table = list(csv.DictReader(lines))
    assert [row["image_path"] for row in table] == [row["file"] for row in trained]
    assert all(row["image_path"].startswith(row["group"]) for row in table)


def test_strokes_and_doodles_are_drawn_and_the_rest_is_tested(tmp_path: Path, monkeypatch) -> None:
    line = '{"word":"%s","key_id":"%d","recognized":true,"drawing":[[[0,255],[0,%d]]]}\n'
    (tmp_path / "strokes").mkdir()
    for word in ("axe", "ear"):
        text = "".join(line % (word, i, 20 * i) for i in range(1, 6))
        (tmp_path / "strokes" / f"{word}.ndjson").write_text(text)
    monkeypatch.setattr(tasks, "DOODLES_A_CLASS", 5)
    for source in (
        tasks.Source("quickdraw", "quickdraw", tmp_path / "strokes"),
        tasks.Source("doodles", "doodles"),
    ):
        folder = tasks.make_task(source, 3, tmp_path)
        facts = tasks.read_task(folder)
        assert (facts.trained, facts.tested) == (3 * facts.classes, 2 * facts.classes)
        assert facts.seen == (source.name == "quickdraw")
        with Image.open(folder / "test" / tasks.read_key(folder, "test")[0]["file"]) as picture:
            assert picture.width > 100


def test_cells_are_measured_once_and_failed_ones_again(drawings: Path, tmp_path: Path, monkeypatch) -> None:
    asked: list[tuple[str, int]] = []
    broken = {"timm"}

    def answer(place: few_shot.Place, side: str, budget: int) -> tuple[float, str, str, dict[str, str]]:
        asked.append((side, budget))
        (place.part / "work").mkdir()
        if side in broken:
            raise few_shot.FailedError(f"{side} breaks off")
        return 5.0, "by guessing", "guess 1.0", {"00000.png": CLASSES[0]}

    monkeypatch.setattr(
        few_shot, "run_rival", lambda place, side, python, budget: answer(place, side, budget)
    )
    monkeypatch.setattr(
        few_shot, "run_dessin", lambda place, side, budget, before: answer(place, side, budget)
    )
    given = ("--task", str(drawings), "--per-class", "6", "--sides", "dessin,timm,probe-128")
    options(tmp_path, monkeypatch, *given, "--budgets", "20")
    with quiet(), pytest.raises(SystemExit, match="timm breaks off"):
        few_shot.main()
    assert asked == [("dessin", 20), ("timm", 20), ("probe-128", 0)]
    assert not list(tmp_path.glob("cells/*/20s/timm"))
    broken.clear()
    options(tmp_path, monkeypatch, *given, "--budgets", "20,40")
    with quiet():
        few_shot.main()
    # A recipe takes its own time: once.
    assert asked[3:] == [("timm", 20), ("dessin", 40), ("timm", 40)]
    cell = tables.folder_of(tmp_path, "drawings6", 20, "timm")
    assert sorted(path.name for path in cell.iterdir()) == ["predictions.csv", "result.json"]
    assert len(tables.read_rows(tmp_path / "few_shot.csv")) == 5


def test_auto_is_told_the_budget_the_groups_and_where_asked_the_backbones(
    drawings: Path, tmp_path: Path, monkeypatch
) -> None:
    commands: list[list[str]] = []

    def run(place: few_shot.Place, command: list[str]) -> None:
        commands.append(command[3:])
        if "predict" in command:
            (place.part / "answers.csv").write_text("image_id,predicted,reason\n00000.png,fish,\n")

    monkeypatch.setattr(few_shot, "_run", run)
    with quiet():
        folder = tasks.make_task(tasks.Source("own", "folder", drawings, BY_PHOTO), 4, tmp_path)
    for side in ("dessin", tables.UNDRAWN):
        (tmp_path / side).mkdir()
        place = few_shot.Place(folder, tmp_path / side, {"PATH": ""}, cores=1)
        monkeypatch.setattr(few_shot, "_check_source", lambda place, source: None)
        assert few_shot.run_dessin(place, side, 60, None)[3] == {"00000.png": "fish"}
    assert [command[0] for command in commands] == ["auto", "predict"] * 2
    plain, undrawn = commands[0], commands[2]
    for command in (plain, undrawn):
        assert command[command.index("--budget") + 1] == "60s"
        assert command[command.index("--group") + 1] == "group"
        assert not any("test" in Path(word).parts for word in command if "pytest" not in word)
    assert "--models" not in plain
    assert undrawn[undrawn.index("--models") + 1] == few_shot.UNDRAWN_MODELS
    assert commands[1][2] == str(folder / "test")


def test_another_dessin_does_not_answer_for_a_checkout(tmp_path: Path) -> None:
    place = few_shot.Place(tmp_path, tmp_path, {}, cores=1)
    with pytest.raises(SystemExit, match="was asked for"):
        few_shot._check_source(place, tmp_path / "elsewhere")


def test_a_recipe_from_end_to_end(drawings: Path, tmp_path: Path, monkeypatch) -> None:
    given = ("--task", str(drawings), "--per-class", "6", "--budgets", "60", "--sides", "probe-128")
    options(tmp_path, monkeypatch, *given, "--cores", "1")
    with quiet():
        runpy.run_path(str(BENCHMARKS / "few_shot.py"), run_name="__main__")
    row = tables.read_rows(tmp_path / "few_shot.csv")[0]
    assert row.cell.how.startswith("probe-128, on ")
    assert row.accuracy.value > 0.6
    assert 0 < row.cell.seconds < 300
