"""The verb `runs`: what is listed, in what order, with which columns, and what a terminal gets."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from made_runs import answers, made_record, made_run, made_split
from rich.cells import cell_len

from dessin.errors import DessinError
from dessin.page.tables import aligned, printable, set_aside
from dessin.runs.listing.keys import Condition, number_of
from dessin.runs.listing.verb import runs
from dessin.runs.record import read_record, write_record


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("workspace")
    split = made_split()
    settings = {
        "bad": (0.2, 1e-3, "hflip"),
        "good": (0.9, 1e-4, "cutmix(1.0)"),
        "middle": (0.5, 2e-4, "hflip"),
    }
    for seed, (name, (accuracy, lr, op)) in enumerate(settings.items()):
        recipe = {"optimizer": {"lr": lr}, "augment": [op]}
        made_run(folder / name, split, answers(split, accuracy, seed), recipe=recipe, seed=seed)
    write_record(folder / "late", made_record(status="running", started="2026-11-22T08:00:00+00:00"))
    (folder / "torn").mkdir()
    (folder / "torn" / "record.json").write_text("{")
    return folder


def names(*conditions: str, workspace: Path, sort: str | None = None) -> list[str]:
    return [row.path.name for row in runs(workspace, where=conditions, sort=sort)]


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("status=stopped", ["late"]),
        ("status!=finished", ["late", "torn"]),
        ("accuracy>0.45", ["good", "middle"]),
        ("accuracy > 45%", ["good", "middle"]),
        ("results.validation.accuracy<0.45", ["bad"]),
        ("optimizer.lr<=2e-4", ["good", "late", "middle"]),
        ("recipe.optimizer.lr=0.001", ["bad"]),
        ("lr=0.001", None),
        ("augment~CUTMIX", ["good"]),
        ("augment=hflip", ["bad", "middle"]),
        ("data.curation=none", ["bad", "good", "late", "middle", "torn"]),
        ("seed>=1", ["good", "middle"]),
        ("started>2026-11-21", ["late"]),
        ("name~oo", ["good"]),
        ("image.clahe=false", ["bad", "good", "late", "middle"]),
        ("accuracy=none", ["late", "torn"]),
    ],
)
def test_a_condition_keeps_the_runs_that_it_says(
    workspace: Path, condition: str, expected: list[str] | None
) -> None:
    if expected is None:
        with pytest.raises(DessinError, match=r"optimizer\.lr"):
            runs(workspace, where=[condition])
    else:
        assert names(condition, workspace=workspace) == expected


def test_a_condition_and_its_opposite_share_the_runs(workspace: Path) -> None:
    everything = names(workspace=workspace)
    for key, value in (("accuracy", "0.45"), ("backbone", "tf_efficientnet_lite0"), ("status", "torn")):
        equal, other = (names(f"{key}{sign}{value}", workspace=workspace) for sign in ("=", "!="))
        assert sorted(equal + other) == everything
    less, more = (names(f"optimizer.lr{sign}2e-4", workspace=workspace) for sign in ("<", ">="))
    assert sorted(less + more) == ["bad", "good", "late", "middle"]


def test_several_conditions_must_all_hold(workspace: Path) -> None:
    assert names("accuracy>0.45", "augment=hflip", workspace=workspace) == ["middle"]


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        ("optimizer.lrr=1", 'Did you mean "optimizer.lr"'),
        ("acuracy>0.5", 'Did you mean "accuracy"'),
        ("accuracy", "Cannot read the condition"),
        ("=5", "Cannot read the condition"),
        ("accuracy>high", "compares numbers with"),
        ("__import__('os')=1", "Unknown key"),
    ],
)
def test_what_cannot_be_meant_is_refused(workspace: Path, condition: str, message: str) -> None:
    with pytest.raises(DessinError, match=message.replace("(", r"\(")):
        runs(workspace, where=[condition])


def test_sorting_puts_runs_without_the_key_last_either_way(workspace: Path) -> None:
    up, down = (names(workspace=workspace, sort=sort) for sort in ("accuracy", "-accuracy"))
    assert up == ["bad", "middle", "good", "late", "torn"]
    assert down == ["good", "middle", "bad", "late", "torn"]
    with pytest.raises(DessinError, match="Unknown key"):
        runs(workspace, sort="-nothing")


def test_a_limit_keeps_the_first(workspace: Path) -> None:
    assert [row.path.name for row in runs(workspace, sort="-accuracy", limit=1)] == ["good"]
    with pytest.raises(DessinError, match="1 or more"):
        runs(workspace, limit=0)


def test_the_csv_has_every_digit_and_the_interval(workspace: Path, tmp_path: Path) -> None:
    target = tmp_path / "runs.csv"
    runs(
        workspace,
        where=["status=finished"],
        columns=["name", "accuracy", "optimizer.lr", "augment"],
        csv=target,
    )
    with target.open(newline="") as file:
        rows = list(csv.DictReader(file))
    result = read_record(workspace / "good").results["validation"].accuracy
    good = next(row for row in rows if row["name"] == "good")
    assert float(good["accuracy"]) == result.value
    assert (float(good["accuracy_low"]), float(good["accuracy_high"])) == (result.low, result.high)
    assert int(good["accuracy_n"]) == result.n
    assert (float(good["optimizer.lr"]), good["augment"]) == (1e-4, '["cutmix(1.0)"]')


def test_an_unknown_column_leaves_no_csv(workspace: Path, tmp_path: Path) -> None:
    with pytest.raises(DessinError, match="Unknown key"):
        runs(workspace, columns=["name", "akkuracy"], csv=tmp_path / "runs.csv")
    assert not (tmp_path / "runs.csv").exists()


def test_an_empty_workspace_is_no_error(tmp_path: Path) -> None:
    assert runs(tmp_path, where=["accuracy>0.5"], sort="accuracy", csv=tmp_path / "runs.csv") == []


def test_hostile_names_are_spelt_out_and_cannot_steer_a_terminal(tmp_path: Path) -> None:
    name = "\x1b[31mred\nname\t\u202e漢字"
    write_record(tmp_path / name, made_record())
    row = runs(tmp_path)[0]
    assert row.path.name == name
    written = printable(str(row.values["name"]))
    assert written.isprintable()
    assert "\\n" in written
    assert "漢字" in written


@pytest.mark.parametrize("width", [None, 200, 60, 24])
def test_a_table_is_aligned_and_keeps_to_the_width(width: int | None) -> None:
    rows = [["a" * 40, "漢字" * 12, "1"], ["b\nc", "x", "22"]]
    lines = aligned(["first", "second", "third"], rows, width)
    assert len(lines) == 3
    if width is not None and width >= 34:
        assert max(map(cell_len, lines)) <= width
    last = [
        cell_len(line[: line.rindex(cell)]) for line, cell in zip(lines, ("third", "1", "22"), strict=True)
    ]
    assert len(set(last)) == 1
    assert ("a" * 40 in lines[1]) == (width is None or width >= 200)


@pytest.mark.parametrize("text", ["nan", "inf", "-inf%", "", "1e-3x", "0x10"])
def test_only_finite_decimal_numbers_are_numbers(text: str) -> None:
    assert number_of(text) is None
    assert not Condition("k", ">", text).holds({"k": 5})


def test_a_narrow_terminal_gets_whole_numbers_or_none() -> None:
    titles = ["name", "backbone", "note", "accuracy", "started"]
    numbers = [f"{value}.0% [30.0, 50.0], n = 1,246" for value in (38, 41)]
    rows = [[f"a-long-name-{i}" * 2, "lite0", "x" * (30 + i), numbers[i], f"2026-11-2{i}"] for i in range(2)]
    whole = {"accuracy", "started"}
    assert set_aside(titles, rows, None, whole) == ([0, 1, 2, 3, 4], [])
    assert set_aside(titles, rows, 200, whole) == ([0, 1, 2, 3, 4], [])
    kept, lines = set_aside(titles, rows, 70, whole)
    assert (kept, lines) == ([0, 2, 3, 4], ["The same for all: backbone lite0."])
    shown = aligned([titles[i] for i in kept], [[row[i] for i in kept] for row in rows], 70, whole=whole)
    assert max(map(cell_len, shown)) <= 70
    assert all(number in line for number, line in zip(numbers, shown[1:], strict=True))
    kept, lines = set_aside(titles, rows, 55, whole)
    assert kept == [0, 2, 3]
    assert lines[-1] == "This terminal is too narrow for: started."
