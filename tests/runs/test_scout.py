from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from tiny_run import A_CLASS, CLASSES, apart, make_drawings, make_tiny_split

from dessin.errors import DessinError
from dessin.progress import quiet
from dessin.reading import read_csv
from dessin.runs import scout as module
from dessin.runs.scout import COLUMNS, ScoutResult, ScoutRow, read_scout, scout
from dessin.statistics.intervals import Estimate
from dessin.training import features

pytestmark = pytest.mark.slow

LITE0, LITE1 = "tf_efficientnet_lite0", "tf_efficientnet_lite1"


@pytest.fixture(scope="module")
def drawings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Path]]:
    with apart(tmp_path_factory.mktemp("scout")) as folder:
        data = make_drawings(folder / "drawings")
        yield data, make_tiny_split(data, folder / "split.csv")


@pytest.fixture(scope="module")
def scouted(drawings: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[ScoutResult]:
    from huggingface_hub import constants

    with pytest.MonkeyPatch.context() as patch, quiet():
        patch.setattr(constants, "HF_HUB_OFFLINE", True)
        data, split = drawings
        out = tmp_path_factory.mktemp("out") / "scout"
        yield scout(data, split=split, models=[LITE0, "test_resnet", LITE1, LITE0], out=out, size=32)


def test_each_backbone_has_one_row_and_one_is_chosen(scouted: ScoutResult) -> None:
    assert [row.backbone for row in scouted.rows][-1] == "test_resnet"
    assert sorted(row.backbone for row in scouted.rows) == ["test_resnet", LITE0, LITE1]
    assert [row.backbone for row in scouted.rows if row.chosen] == [scouted.chosen]
    best = scouted.rows[0].accuracy
    assert best is not None
    assert best.value > 0.6, "three classes that look quite different"
    assert best.n == len(CLASSES) * A_CLASS * 3 // 4, "the holdout is not in it"


def test_a_backbone_without_weights_is_a_row_with_the_reason(scouted: ScoutResult) -> None:
    row = scouted.rows[-1]
    assert row.accuracy is None
    assert not row.chosen
    assert "no weights" in row.reason


def test_the_file_says_what_the_result_says(scouted: ScoutResult) -> None:
    _, rows = read_csv(scouted.path, COLUMNS)
    assert list(rows[0]) == list(COLUMNS)
    for row, written in zip(scouted.rows, rows, strict=True):
        assert written["backbone"] == row.backbone
        assert written["chosen"] == ("yes" if row.chosen else "no")
        assert written["reason"] == row.reason
        if row.accuracy is not None:
            assert float(written["low"]) <= float(written["accuracy"]) <= float(written["high"])
            assert float(written["images_per_second"]) > 0
    assert rows[-1]["accuracy"] == ""
    for row, read in zip(scouted.rows, read_scout(scouted.path.parent), strict=True):
        assert (read.backbone, read.chosen, read.reason) == (row.backbone, row.chosen, row.reason)
        assert (read.accuracy is None) == (row.accuracy is None)
        if read.accuracy is not None and row.accuracy is not None:
            assert read.accuracy.n == row.accuracy.n
            assert read.accuracy.value == pytest.approx(row.accuracy.value, abs=1e-4)


def test_a_join_costs_its_fit_alone_and_is_as_slow_as_its_bodies_together(
    drawings: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    computed: list[Path] = []
    whole = features._compute
    monkeypatch.setattr(features, "_compute", lambda *asked: computed.append(asked[0]) or whole(*asked))
    data, split = drawings
    models = [LITE0, f"{LITE0}:drawn", f"{LITE0}+{LITE0}:drawn"]
    with quiet():
        result = scout(data, split=split, models=models, out=tmp_path / "s", size=32, features="several")
    assert len(computed) == 2 * len(module.VIEWS), "each body once"
    rows = {row.backbone: row for row in read_scout(tmp_path / "s")}
    assert rows.keys() == set(models)
    assert result.chosen in models
    alone, other, joined = (rows[name] for name in models)
    assert alone.images_per_second == other.images_per_second
    assert joined.images_per_second == pytest.approx(alone.images_per_second / 2, rel=0.01)
    assert joined.parameters == 2 * alone.parameters


def test_bad_requests_leave_no_folder(drawings: tuple[Path, Path], tmp_path: Path) -> None:
    data, split = drawings
    out = tmp_path / "scout"
    with pytest.raises(DessinError, match="Did you mean"):
        scout(data, split=split, models=["tf_efficientnet_lite9"], out=out)
    for twice, message in ((f"{LITE0}+{LITE0}", "joined to itself"), (f"{LITE0}+", "lacks the name")):
        with pytest.raises(DessinError, match=message):
            scout(data, split=split, models=[twice], out=out)
    with pytest.raises(DessinError, match="No backbone"):
        scout(data, split=split, models=[], out=out)
    assert not out.exists()


def test_no_backbone_left_is_an_error(
    drawings: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    data, split = drawings
    with pytest.raises(DessinError, match="None of the 1 backbones"):
        scout(data, split=split, models=["test_resnet"], out=tmp_path / "scout", size=32)


def trial(name: str, correct: np.ndarray, speed: float) -> module._Trial:
    estimate = Estimate(float(correct.mean()), 0.0, 1.0, len(correct))
    return module._Trial(ScoutRow(name, estimate, speed, 1, False, ""), correct)


def test_the_pick_follows_the_paired_difference() -> None:
    groups = [str(i) for i in range(400)]
    best = np.zeros(400)
    best[:240] = 1
    as_good = best.copy()
    as_good[:6], as_good[300:304] = 0, 1
    clearly_worse = best.copy()
    clearly_worse[:40] = 0

    def picked(*trials: module._Trial) -> str:
        return module._pick(trials, groups, 0)[0].row.backbone

    slow = trial("best", best, 10)
    assert picked(slow, trial("worse", clearly_worse, 100)) == "best"
    assert picked(slow, trial("as good", as_good, 30)) == "as good"
    assert picked(slow, trial("as good", as_good, 11)) == "best", "10% faster is not cheaper"
    assert picked(slow, trial("as good", as_good, 30), trial("faster", as_good, 50)) == "faster"
    assert picked(slow) == "best"
