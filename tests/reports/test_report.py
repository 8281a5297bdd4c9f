"""The verb `report`: one page, nothing loaded from outside, everything escaped, every number there."""

from __future__ import annotations

import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import pytest
from tiny_run import apart, make_drawings, make_tiny_split, tiny_recipe

from dessin.errors import DessinError
from dessin.files import write_csv
from dessin.page.numbers import plain
from dessin.reports.verb import report
from dessin.runs.record import read_record, write_record
from dessin.runs.scout import COLUMNS, SCOUT_FILE, read_scout
from dessin.runs.train import train
from dessin.trust.evaluate.verb import evaluate

pytestmark = pytest.mark.slow


class Page(HTMLParser):
    """The elements of a page and its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    with apart(tmp_path_factory.mktemp("report")) as folder:
        data = make_drawings(folder / "data")
        split = make_tiny_split(data, folder / "split.csv")
        # Trained at a rate that learns nothing, so that there are mistakes to show.
        recipe = tiny_recipe("full", optimizer={"lr": 1e-6})
        return train(recipe, data=data, split=split, out=folder / "run")


@pytest.fixture
def run(finished: Path, tmp_path: Path) -> Path:
    return shutil.copytree(finished, tmp_path / "run")


def page_of(run: Path, tmp_path: Path) -> Page:
    return Page(report(run, out=tmp_path / "report.html").read_text())


def test_nothing_is_loaded_from_outside_and_nothing_runs(run: Path, tmp_path: Path) -> None:
    page = page_of(run, tmp_path)
    sources = [attributes.get("src") or "" for tag, attributes in page.tags if tag == "img"]
    assert len(sources) > 5
    assert all(source.startswith("data:image/") for source in sources)
    assert not {"script", "link", "iframe", "object"} & {tag for tag, _ in page.tags}


def test_a_class_name_that_is_a_script_stays_a_name(run: Path, tmp_path: Path) -> None:
    page = page_of(run, tmp_path)
    assert "<script>alert(1)" in page.text
    assert "<script" not in (tmp_path / "report.html").read_text()


def test_every_result_with_its_interval_is_on_the_page(run: Path, tmp_path: Path) -> None:
    evaluate(run, holdout=True)
    page, record = page_of(run, tmp_path), read_record(run)
    for results in record.results.values():
        for name in ("accuracy", "macro_f1"):
            assert str(getattr(results, name)).partition(", n = ")[0] in page.text
        assert plain(results.loss) in page.text
    # Of five classes or fewer, the first five are all.
    assert record.counts.classes <= 5
    assert "top-5" not in page.text.lower()
    assert f"{record.results['holdout'].accuracy.value:.1%}" in page.text
    for decision in record.decisions:
        assert decision.reason in page.text
    assert record.digests.model in page.text


def test_the_holdout_is_said_to_be_closed_or_how_often_it_was_opened(run: Path, tmp_path: Path) -> None:
    assert "have not been opened" in page_of(run, tmp_path).text
    evaluate(run, holdout=True)
    assert "opened once" in page_of(run, tmp_path).text
    evaluate(run, holdout=True)
    assert "opened 2 times" in page_of(run, tmp_path).text


def test_the_mistakes_shown_are_as_many_as_there_are(run: Path, tmp_path: Path) -> None:
    record, page = read_record(run), page_of(run, tmp_path)
    accuracy = record.results["validation"].accuracy
    mistakes = round(accuracy.n * (1 - accuracy.value))
    assert mistakes > 0
    assert len(re.findall(r"named [^,]+, \d+% sure", page.text)) == mistakes


def test_without_the_drawings_the_page_says_so(run: Path, tmp_path: Path) -> None:
    record = read_record(run)
    recipe = record.recipe.model_copy(
        update={"data": record.recipe.data.model_copy(update={"path": str(tmp_path / "moved")})}
    )
    write_record(run, record.changed(recipe=recipe))
    assert "not where the run found them" in page_of(run, tmp_path).text


def test_a_run_that_measured_nothing_still_has_a_page(tmp_path: Path) -> None:
    data = make_drawings(tmp_path / "data")
    split = make_tiny_split(data, tmp_path / "split.csv")
    run = train(tiny_recipe("full", data={"fold": "none"}), data=data, split=split, out=tmp_path / "run")
    assert "Nothing was measured" in page_of(run, tmp_path).text


def test_an_unfinished_run_and_a_folder_as_target_are_refused(run: Path, tmp_path: Path) -> None:
    with pytest.raises(DessinError, match="one file"):
        report(run, out=tmp_path)
    write_record(run, read_record(run).changed(status="running"))
    with pytest.raises(DessinError, match="is running"):
        report(run, out=tmp_path / "report.html")
    assert not (tmp_path / "report.html").exists()


def test_the_backbones_of_a_scout_are_shown_from_its_folder(run: Path, tmp_path: Path) -> None:
    (tmp_path / "scout").mkdir()
    rows = [
        ["tiny_net", "0.5000", "0.4000", "0.6000", 90, "12.5", 1_000_000, "yes", "the best"],
        ["other_net", "", "", "", 0, "", 2_000_000, "no", "left out: no weights"],
    ]
    write_csv(tmp_path / "scout" / SCOUT_FILE, COLUMNS, rows)
    page = Page(report(run, out=tmp_path / "report.html", scout=tmp_path / "scout").read_text())
    assert "tiny_net" in page.text
    assert "left out: no weights" in page.text
    assert report(run, out=tmp_path / "same.html", scout=read_scout(tmp_path / "scout")).read_text()
    (tmp_path / "scout" / SCOUT_FILE).write_text("backbone\n")
    with pytest.raises(DessinError, match=r"scout\.csv"):
        report(run, out=tmp_path / "report.html", scout=tmp_path / "scout")
