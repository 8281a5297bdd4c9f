"""The wrap-up page of real studies: its order, its numbers, and what it does with what is missing."""

from __future__ import annotations

import html
import re
import shutil
import warnings
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from tiny_run import apart
from wrapup_studies import KOREAN, LONG, SCRIPT, Story, make_story

from dessin.audit.verb import audit
from dessin.errors import DessinError
from dessin.files import write_json
from dessin.page.numbers import points, share
from dessin.progress import duration
from dessin.reading import read_json
from dessin.reports.verb import report
from dessin.runs.record import read_record, write_record
from dessin.studies.definition import read_study
from dessin.studies.measure import analyse
from dessin.studies.result import StudyRecord, StudyResults
from dessin.trust.evaluate.verb import evaluate

pytestmark = pytest.mark.slow


class Page(HTMLParser):
    """The elements of a page and its text, with every space a plain one."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)
        self.text = re.sub(r"\s+", " ", self.text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Story:
    with apart(tmp_path_factory.mktemp("wrapup")) as folder:
        return make_story(folder)


@pytest.fixture
def story(finished: Story, tmp_path: Path) -> Story:
    """Copies, to be changed."""
    plain = shutil.copytree(finished.plain, tmp_path / "mirrors")
    grid = shutil.copytree(finished.grid, tmp_path / "losses")
    return replace(finished, plain=plain, grid=grid, run=shutil.copytree(finished.run, tmp_path / "final"))


def page_of(*sources: Path, audit: Path | None = None) -> Page:
    out = sources[0].parent / "report.html"
    return Page(report(*sources, out=out, audit=audit).read_text())


def test_the_story_is_told_in_its_order(story: Story) -> None:
    page = page_of(story.plain, story.grid, story.run)
    wanted = ["hypotheses", "people", "data", "cleaning", "split", "augmentation", "modelling", "ensemble"]
    wanted += ["final", "open", "repeat", "next"]
    ids = [attributes["id"] for tag, attributes in page.tags if tag == "section" and attributes.get("id")]
    assert [name for name in ids if name in wanted] == wanted
    anchors = [attributes["id"] for _, attributes in page.tags if attributes.get("id")]
    assert anchors.index("augmentation") < anchors.index("study-1") < anchors.index("modelling")
    assert anchors.index("modelling") < anchors.index("study-2") < anchors.index("ensemble")
    links = [str(attributes["href"]) for tag, attributes in page.tags if tag == "a"]
    assert {link.removeprefix("#") for link in links if link.startswith("#")} <= set(anchors)
    assert "final/bundle/bundle.json" in links


def test_nothing_is_loaded_and_names_stay_names(story: Story) -> None:
    page = page_of(story.plain, story.grid, story.run)
    pictures = [attributes for tag, attributes in page.tags if tag == "img"]
    assert len(pictures) > 5
    assert all(str(picture["src"]).startswith("data:image/") and picture["alt"] for picture in pictures)
    assert not {"script", "link", "iframe", "object"} & {tag for tag, _ in page.tags}
    for name in (SCRIPT, KOREAN, LONG, "오리", "Mirrored & turned drawings <b>help</b>."):
        assert name in page.text


def test_every_level_has_its_numbers_with_intervals_and_n(story: Story) -> None:
    page = page_of(story.plain, story.grid, story.run)
    for folder in (story.plain, story.grid):
        results = StudyResults.read(folder)
        assert results.comparisons
        for level in results.levels:
            assert level.accuracy is not None
            assert share(level.accuracy) in page.text
            assert f"n = {level.accuracy.n}" in page.text
        for difference in (*results.comparisons, *results.main_effects):
            assert points(difference.difference) in page.text
            assert difference.verdict_text in page.text
            for test in difference.mcnemar:
                assert f"{test.level_alone} right here alone" in page.text
    assert "Accuracy by loss and rate" in page.text
    validation = read_record(story.run).results["validation"].accuracy
    assert share(validation) in page.text


def test_openings_of_the_holdout_are_counted_over_all_runs(story: Story) -> None:
    assert "Never opened, over the 13 runs" in page_of(story.plain, story.grid, story.run).text
    evaluate(story.run, holdout=True)
    evaluate(min((story.plain / "runs").iterdir()), holdout=True)
    page = page_of(story.plain, story.grid, story.run)
    assert "Opened 2 times, over the 13 runs" in page.text
    assert "Its holdout was opened once" in page.text
    assert "Holdout (n = 9)" in page.text


def test_a_study_without_results_says_how_far_it_is(story: Story) -> None:
    (story.plain / "results.json").unlink()
    jobs = sorted((story.plain / "jobs").glob("*.json"))
    for job in jobs[3:]:
        job.unlink()
    page = page_of(story.plain)
    assert f"3 of {len(jobs)} runs have ended, so nothing was compared yet" in page.text
    assert "No level of a study could be told from its base" in page.text
    for job in jobs[:3]:
        assert f"{100 * read_json(job)['accuracy']['value']:.1f}%" in page.text


def test_a_collapsed_run_is_named_with_its_reason(story: Story) -> None:
    record = StudyRecord.read(story.plain)
    lost = next(job.name for job in record.jobs if job.level == KOREAN)
    path = story.plain / "jobs" / f"{lost}.json"
    ended = read_json(path) | {"status": "failed", "reason": "the rate was <far> too high", "accuracy": None}
    write_json(path, ended | {"loss": None})
    write_json(story.plain / "results.json", analyse(story.plain).model_dump(mode="json"))
    page = page_of(story.plain)
    assert "1 run gave no result" in page.text
    assert "the rate was <far> too high" in page.text
    assert "runs have ended" not in page.text


def test_runs_that_are_gone_or_damaged_leave_only_their_curves_out(story: Story) -> None:
    before = page_of(story.plain)
    runs = sorted((story.plain / "runs").iterdir())
    (runs[0] / "record.json").write_text("{")
    assert points(StudyResults.read(story.plain).comparisons[0].difference) in page_of(story.plain).text
    shutil.rmtree(story.plain / "runs")
    page = page_of(story.plain)
    assert "Learning curves" in before.text
    assert "Learning curves" not in page.text
    assert points(StudyResults.read(story.plain).comparisons[0].difference) in page.text


def test_without_drawings_split_and_definition_there_is_still_a_page(story: Story) -> None:
    for name in ("split.csv", "study.yaml"):
        (story.plain / name).unlink()
    values = read_json(story.plain / "study.json")
    write_json(story.plain / "study.json", values | {"data": "moved/away"})
    page = page_of(story.plain)
    assert "not where they were" in page.text
    assert "is gone from its folder, or damaged" in page.text


def test_an_audit_is_shown_where_it_is_of_the_same_collection(story: Story, tmp_path: Path) -> None:
    assert "No audit was given" in page_of(story.plain).text
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the audit's own plot measures a Korean name with a Latin font
        audit(story.data, out=tmp_path / "audit")
    page = page_of(story.plain, audit=tmp_path / "audit")
    assert "What the audit found" in page.text
    summary = read_json(tmp_path / "audit" / "summary.json")
    write_json(tmp_path / "audit" / "summary.json", summary | {"manifest_digest": "another"})
    assert "is of another collection" in page_of(story.plain, audit=tmp_path / "audit").text
    with pytest.raises(DessinError, match="not the folder of an audit"):
        page_of(story.plain, audit=tmp_path)


def test_the_study_files_on_the_page_give_the_same_levels(story: Story, tmp_path: Path) -> None:
    written = report(story.plain, story.grid, out=tmp_path / "report.html").read_text()
    files = re.findall(r"<summary>\w+\.yaml.*?<pre[^>]*>(.*?)</pre>", written, re.DOTALL)
    for folder, text in zip((story.plain, story.grid), files, strict=True):
        path = tmp_path / f"{folder.name}.yaml"
        path.write_text(html.unescape(text))
        again, record = read_study(path), StudyRecord.read(folder)
        assert (again.levels, again.base, again.seeds) == (record.levels, record.base, record.seeds)
        assert again.recipe.model_dump(mode="json") == record.recipe


def test_the_final_run_says_which_level_it_is(story: Story) -> None:
    assert (
        "Its recipe is that of mirrored (mirrors), loss=plain, rate=low (losses)."
        in page_of(story.plain, story.grid, story.run).text
    )


def test_runs_without_a_study_and_a_run_that_is_not_finished(story: Story, tmp_path: Path) -> None:
    other = shutil.copytree(story.run, tmp_path / "other")
    write_record(other, read_record(other).changed(status="failed", reason="<no> power", results={}))
    page = page_of(story.run, other)
    assert "All runs that were given" in page.text
    assert "The run is failed: <no> power" in page.text
    assert "The final run is failed" in page.text
    assert "No study of augmentation is part of this report" in page.text
    assert "Never varied" not in page.text
    damaged = page_of(story.plain, story.run)
    (story.run / "validation" / "probabilities.npy").unlink()
    assert "Class by class" in damaged.text
    assert "Class by class" not in page_of(story.plain, story.run).text


def test_wrong_sources_are_refused(story: Story, tmp_path: Path) -> None:
    out = tmp_path / "page.html"
    with pytest.raises(DessinError, match="no study, run or committee"):
        report(story.plain, story.data, out=out)
    with pytest.raises(DessinError, match="does not exist"):
        report(tmp_path / "nowhere", out=out)
    with pytest.raises(DessinError, match="given twice"):
        report(story.plain, tmp_path / "." / story.plain.name, out=out)
    with pytest.raises(DessinError, match="Nothing to report"):
        report(out=out)
    values = read_json(story.plain / "study.json")
    write_json(story.plain / "study.json", values | {"format": 99})
    with pytest.raises(DessinError, match="newer dessin"):
        report(story.plain, out=out)
    assert not out.exists()


def test_the_same_sources_give_the_same_bytes(story: Story, tmp_path: Path) -> None:
    pages = [report(story.plain, story.run, out=tmp_path / f"{i}.html").read_bytes() for i in range(2)]
    assert pages[0] == pages[1]


def test_people_are_the_machines_and_times_of_the_records(story: Story) -> None:
    page = page_of(story.plain, story.grid, story.run)
    records = [read_record(path.parent) for path in story.run.parent.rglob("record.json")]
    assert len(records) == 13
    first, last = min(each.started[0] for each in records), max(each.finished for each in records)
    assert f"{first[:10]} {first[11:16]} UTC to {last[:10]} {last[11:16]} UTC" in page.text
    jobs = [read_json(path) for path in story.run.parent.rglob("jobs/*.json")]
    seconds = sum(job["seconds"] for job in jobs) + sum(read_record(story.run).timings.values())
    # Half a tenth of a second is rounded up or down by the order of the sum.
    told = [f"mirrors, losses and final13{duration(seconds + apart)}" for apart in (-1e-6, 1e-6)]
    assert any(words in page.text for words in told)
    assert records[0].hardware.cpu in page.text


def test_the_wiki_has_the_same_figures_and_its_pictures_as_files(story: Story, tmp_path: Path) -> None:
    out = tmp_path / "wiki" / "wrap-up.md"
    for sources in ((story.plain, story.grid, story.run), (story.grid, story.run)):
        text = report(*sources, out=out).read_text()
        shown = set(re.findall(r"!\[[^\n]*?\]\(<(wrap-up-pictures/[^>]+)>\)", text))
        assert {path.relative_to(out.parent).as_posix() for path in (out.parent).glob("*/*")} == shown
    assert len(shown) > 5
    assert not re.search(r"^#+ .*<script>", text, re.MULTILINE)
    for found in StudyResults.read(story.grid).comparisons:
        assert points(found.difference).replace("[", r"\[").replace("]", r"\]") in text
    accuracy = share(read_record(story.run).results["validation"].accuracy)
    assert accuracy.replace("[", r"\[").replace("]", r"\]") in text


def test_a_study_has_a_page_of_its_own_that_says_what_to_do_next(story: Story) -> None:
    page = Page((story.plain / "index.html").read_text())
    results = StudyResults.read(story.plain)
    for difference in results.comparisons:
        assert points(difference.difference) in page.text
        assert difference.verdict_text in page.text
    assert "Mirrored & turned drawings <b>help</b>." in page.text
    assert f"dessin report {story.data.parent / 'studies' / 'mirrors'}" in page.text
    assert "dessin mistakes" in page.text
