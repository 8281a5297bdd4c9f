"""The verb `compare`: joined by image id, the same either way round, and refused where it would mislead."""

from __future__ import annotations

import csv
import json
import shutil
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from made_runs import CLASSES, answers, made_record, made_run, made_split

from dessin.errors import DessinError
from dessin.files import write_json
from dessin.reports.compare.measure import class_changes
from dessin.reports.compare.verb import compare
from dessin.runs.record import read_record, write_record
from dessin.statistics.intervals import bootstrap_mean

SPLIT = made_split()
BASE = answers(SPLIT, 0.5, seed=1)
OTHER = {image_id: right or i % 4 == 0 for i, (image_id, right) in enumerate(BASE.items())}


@pytest.fixture
def base(tmp_path: Path) -> Path:
    return made_run(tmp_path / "base", SPLIT, BASE)


@pytest.fixture
def other(tmp_path: Path) -> Path:
    return made_run(tmp_path / "other", SPLIT, OTHER, recipe={"loss": "focal(2.0)"})


def test_the_difference_is_that_of_the_images_named_right(base: Path, other: Path) -> None:
    result = compare([base, other])
    images = [row.image_id for row in SPLIT.validation(0)]
    gained = [OTHER[i] and not BASE[i] for i in images]
    row = result.comparisons[0]
    assert row.difference.value == pytest.approx(np.mean(gained))
    assert (row.mcnemar[0].level_alone, row.mcnemar[0].base_alone) == (sum(gained), 0)
    by_hand = bootstrap_mean(
        np.array(gained, float), [r.group for r in SPLIT.validation(0)], bounds=(-1.0, 1.0)
    )
    assert (row.by_image.low, row.by_image.high) == pytest.approx((by_hand.low, by_hand.high), abs=0.02)
    assert (row.verdict, row.scope, row.images) == ("better", "these runs", len(images))
    assert [d.key for d in result.differences] == ["loss"]


def test_the_other_way_round_is_the_negative(base: Path, other: Path) -> None:
    forth, back = compare([base, other]).comparisons[0], compare([other, base]).comparisons[0]
    assert back.difference.value == -forth.difference.value
    assert back.difference.low == pytest.approx(-forth.difference.high)
    assert back.difference.high == pytest.approx(-forth.difference.low)
    assert (back.p, back.detectable) == pytest.approx((forth.p, forth.detectable))
    assert (forth.verdict, back.verdict) == ("better", "worse")


def test_a_copy_of_a_run_is_no_different(base: Path, tmp_path: Path) -> None:
    record = read_record(base)
    write_record(base, record.changed(digests=record.digests.model_copy(update={"model": "f" * 64})))
    result = compare([base, shutil.copytree(base, tmp_path / "copy")])
    row = result.comparisons[0]
    assert (row.difference.value, row.p, row.mcnemar[0].p) == (0.0, 1.0, 1.0)
    assert row.verdict in ("no difference", "cannot tell")
    assert result.differences == ()
    assert any("the very weights" in caution for caution in result.cautions)


def test_the_order_of_rows_changes_nothing(base: Path, other: Path, tmp_path: Path) -> None:
    order = np.random.default_rng(0).permutation(len(SPLIT.validation(0))).tolist()
    shuffled = made_run(tmp_path / "x" / "other", SPLIT, OTHER, recipe={"loss": "focal(2.0)"}, order=order)
    straight, mixed = compare([base, other]), compare([base, shuffled])
    assert mixed.comparisons == straight.comparisons


def test_more_comparisons_need_more_evidence(base: Path, other: Path, tmp_path: Path) -> None:
    more = [made_run(tmp_path / f"n{i}", SPLIT, answers(SPLIT, 0.5, seed=i + 5)) for i in range(4)]
    alone, among = compare([base, other]).comparisons[0], compare([base, other, *more]).comparisons[0]
    assert among.difference == alone.difference
    assert among.p == alone.p
    assert among.p_holm == pytest.approx(min(1.0, 5 * alone.p))
    assert among.detectable > alone.detectable


def test_groups_of_any_split_hold_together(tmp_path: Path) -> None:
    """Two runs on the same images, one of them with a split that does not know the photos."""
    ungrouped = replace(SPLIT, rows=tuple(replace(row, group=row.image_id) for row in SPLIT.rows))
    first = made_run(tmp_path / "first", ungrouped, BASE)
    second = made_run(tmp_path / "second", SPLIT, OTHER)
    assert compare([first, second]).groups == len({row.group for row in SPLIT.validation(0)})


def test_other_images_are_refused_and_the_message_counts_them(base: Path, tmp_path: Path) -> None:
    fold = made_run(tmp_path / "fold1", SPLIT, BASE, fold=1)
    count = len(SPLIT.validation(0))
    with pytest.raises(DessinError, match=f"share 0.*fold1 trained on {count} of the images that base"):
        compare([base, fold])
    strange = made_run(tmp_path / "strange", made_split(seed=9), BASE)
    with pytest.raises(DessinError, match="with one --split"):
        compare([base, strange])


def test_a_split_that_moved_one_drawing_is_refused(base: Path, tmp_path: Path) -> None:
    moved, host = SPLIT.training(0)[0], SPLIT.validation(0)[0]
    changed = replace(moved, group=host.group, fold=0)
    other = replace(SPLIT, rows=tuple(changed if row is moved else row for row in SPLIT.rows))
    with pytest.raises(DessinError, match="base trained on 1 of the images that moved was"):
        compare([base, made_run(tmp_path / "moved", other, BASE)])


def test_predictions_of_other_images_than_the_fold_s_are_refused(base: Path, tmp_path: Path) -> None:
    fold = made_run(tmp_path / "fold1", SPLIT, BASE, fold=1)
    shutil.rmtree(fold / "validation")
    shutil.copytree(base / "validation", fold / "validation")
    with pytest.raises(DessinError, match="not of the images that the run's split says"):
        compare([base, fold])


def test_what_is_no_pair_of_finished_runs_is_refused(base: Path, other: Path, tmp_path: Path) -> None:
    with pytest.raises(DessinError, match="two or more"):
        compare([base])
    with pytest.raises(DessinError, match="named twice"):
        compare([base, base.parent / "." / "base"])
    with pytest.raises(DessinError, match="no run folder"):
        compare([base, tmp_path / "nowhere"])
    write_record(tmp_path / "going", made_record(status="running"))
    with pytest.raises(DessinError, match="is running"):
        compare([base, tmp_path / "going"])
    write_json(tmp_path / "study" / "study.json", {})
    with pytest.raises(DessinError, match="dessin report"):
        compare([base, tmp_path / "study"])
    with pytest.raises(DessinError, match="between 0 and 1"):
        compare([base, other], matters=2.0)


def test_predictions_that_contradict_the_record_are_refused(base: Path, other: Path) -> None:
    shutil.rmtree(other / "validation")
    shutil.copytree(base / "validation", other / "validation")
    with pytest.raises(DessinError, match="the record says"):
        compare([base, other])


def test_other_labels_are_refused(base: Path, tmp_path: Path) -> None:
    first = SPLIT.validation(0)[0]
    changed = replace(first, label=next(label for label in CLASSES if label != first.label))
    other = replace(SPLIT, rows=tuple(changed if row is first else row for row in SPLIT.rows))
    with pytest.raises(DessinError, match=f"other labels for 1 images .{first.image_id}"):
        compare([base, made_run(tmp_path / "relabelled", other, BASE)])


def test_the_holdout_is_compared_only_where_it_was_opened(base: Path, other: Path, tmp_path: Path) -> None:
    with pytest.raises(DessinError, match="has not been opened"):
        compare([base, other], holdout=True)
    assert read_record(base).holdout_opened == ()
    opened = [
        made_run(tmp_path / "opened" / name, SPLIT, right, set_name="holdout")
        for name, right in (("a", BASE), ("b", OTHER))
    ]
    result = compare(opened, holdout=True)
    assert (result.set_name, result.images) == ("holdout", len(SPLIT.held_out()))


def test_several_changes_at_once_are_said(base: Path, tmp_path: Path) -> None:
    recipe = {"loss": "focal(2.0)", "augment": ["hflip"]}
    both = compare([base, made_run(tmp_path / "both", SPLIT, OTHER, recipe=recipe)])
    assert any("2 keys (augment, loss)" in caution for caution in both.cautions)
    luck = compare([base, made_run(tmp_path / "luck", SPLIT, OTHER, seed=1)])
    assert any("luck of a training." in caution for caution in luck.cautions[1:])


class Page(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_files_say_what_was_returned_and_names_stay_names(base: Path, tmp_path: Path) -> None:
    hostile = made_run(tmp_path / "<script>alert(1)<\n漢", SPLIT, OTHER, recipe={"loss": "focal(2.0)"})
    out = tmp_path / "out"
    result = compare([base, hostile], out=out)
    assert sorted(path.name for path in out.iterdir()) == [
        "comparison.csv",
        "comparison.json",
        "differences.csv",
        "index.html",
    ]
    assert json.loads((out / "comparison.json").read_text()) == result.model_dump(mode="json")
    with (out / "comparison.csv").open(newline="") as file:
        row = next(csv.DictReader(file))
    assert row["run"] == hostile.name
    assert float(row["difference"]) == result.comparisons[0].difference.value
    with (out / "differences.csv").open(newline="") as file:
        assert list(csv.reader(file)) == [
            ["key", "base", hostile.name],
            ["loss", "cross_entropy", "focal(2.0)"],
        ]
    page = Page((out / "index.html").read_text())
    assert not {"script", "img", "link", "iframe"} & set(page.tags)
    assert "<script>alert(1)" in page.text
    assert all(label in page.text for label in CLASSES)
    with pytest.raises(DessinError, match="not empty"):
        compare([base, hostile], out=out)


def test_class_changes_add_up_and_mirror() -> None:
    labels = [row.label for row in SPLIT.rows]
    first, second = (np.array([answer[row.image_id] for row in SPLIT.rows]) for answer in (BASE, OTHER))
    forth, back = class_changes(first, second, labels), class_changes(second, first, labels)
    assert (forth.better, forth.worse) == (back.worse, back.better)
    assert sum(c.change for c in forth.gained) == int(second.sum()) - int(first.sum())
    assert [(c.label, -c.change) for c in forth.gained] == [(c.label, c.change) for c in back.lost]
    assert sum(c.n for c in forth.gained) == len(labels)


def test_a_planted_class_is_found_and_nothing_else() -> None:
    labels = [f"class {i % 50}" for i in range(50 * 30)]
    base = np.array(answers_of(len(labels)))
    level = base.copy()
    level[[i for i, label in enumerate(labels) if label == "class 7"]] = True
    found = class_changes(base, level, labels)
    assert found.beyond_chance == ("class 7",)
    assert found.gained[0].label == "class 7"


def answers_of(count: int) -> list[bool]:
    return [bool(draw < 0.3) for draw in np.random.default_rng(3).random(count)]


def test_the_trust_cards_stand_beside_each_other(base: Path, other: Path, tmp_path: Path) -> None:
    result = compare([base, other], out=tmp_path / "out")
    assert [card.name for card in result.cards] == [run.name for run in result.runs]
    for card, run in zip(result.cards, result.runs, strict=True):
        assert card.numbers["validation"] == run.accuracy
    page = (tmp_path / "out" / "index.html").read_text()
    assert all(fact.title in page for card in result.cards for fact in card.facts)
