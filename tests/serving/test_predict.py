"""`predict`: which files are taken, how they are named, and what the CSV says of each."""

from __future__ import annotations

from pathlib import Path

import pytest
from tiny_bundle import make_bundle

from dessin.errors import DessinError
from dessin.reading import read_csv
from dessin.serving.predict import find_images, predict
from dessin.serving.runtime import Runtime

LABELS = ("cat", "house", "star")


@pytest.fixture
def folder(tmp_path: Path, drawings: dict[str, list[bytes]]) -> Path:
    root = tmp_path / "drawings"
    for label, images in drawings.items():
        (root / label).mkdir(parents=True)
        for number, data in enumerate(images):
            (root / label / f"{number}.png").write_bytes(data)
    (root / ".DS_Store").write_bytes(b"x")
    (root / "cat" / "._0.png").write_bytes(b"x")
    (root / "notes.txt").write_text("x")
    return root


def _rows(path: Path) -> list[dict[str, str]]:
    return read_csv(path, ("image_id", "predicted", "name", "probability", "reason"))[1]


def test_a_folder_is_read_through_and_named_relative_to_itself(bundle: Path, folder: Path) -> None:
    out = folder.parent / "p.csv"
    predict(bundle, [folder], out=out, top=2)
    rows = _rows(out)
    assert [row["image_id"] for row in rows] == [
        f"{label}/{n}.png" for label in ("cat", "house", "star") for n in range(6)
    ]
    columns = "image_id,predicted,name,probability,top2,top2_probability,reason"
    assert out.read_text().splitlines()[0] == columns
    answers = Runtime.load(bundle).predict_files(find_images([folder]))
    best = [answers.image_ids.index(row["image_id"]) for row in rows]
    assert [row["predicted"] for row in rows] == [LABELS[answers.probabilities[i].argmax()] for i in best]
    assert len({row["predicted"] for row in rows}) > 1
    for row in rows:
        assert float(row["probability"]) >= float(row["top2_probability"])
        assert row["predicted"] != row["top2"]
        assert row["name"] == ("tabby cat" if row["predicted"] == "cat" else row["predicted"])


def test_probabilities_of_all_classes_sum_to_one(bundle: Path, folder: Path) -> None:
    out = folder.parent / "p.csv"
    predict(bundle, [folder], out=out, top=50)
    for row in _rows(out):
        total = sum(float(row[c]) for c in ("probability", "top2_probability", "top3_probability"))
        assert total == pytest.approx(1.0, abs=1e-5)


def test_files_and_folders_share_one_base_and_nothing_comes_twice(bundle: Path, folder: Path) -> None:
    files = find_images([folder / "star" / "3.png", folder / "cat", folder / "cat" / "0.png"])
    assert [file.image_id for file in files] == ["star/3.png", *(f"cat/{n}.png" for n in range(6))]
    (alone,) = find_images([folder / "star" / "3.png"])
    assert alone.image_id == "3.png"


def test_relative_and_absolute_paths_name_the_same(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    absolute = find_images([folder])
    monkeypatch.chdir(folder.parent)
    assert [file.image_id for file in find_images([Path("drawings")])] == [f.image_id for f in absolute]


def test_a_csv_lists_its_images_in_its_order(folder: Path) -> None:
    (folder / "list.csv").write_text("image_path,note\nstar/1.png,a\ncat/2.png,b\n")
    assert [file.image_id for file in find_images([folder / "list.csv"])] == ["star/1.png", "cat/2.png"]
    (folder / "list.csv").write_text("image_path\nstar/1.png\ncat/99.png\n")
    with pytest.raises(DessinError, match=r"cat/99\.png"):
        find_images([folder / "list.csv"])
    (folder / "list.csv").write_text("image_path\n../p.png\n")
    with pytest.raises(DessinError, match=r"contains \.\."):
        find_images([folder / "list.csv"])


def test_a_list_of_other_columns_is_read_as_a_spreadsheet_writes_it(folder: Path) -> None:
    (folder / "list.csv").write_text("\ufeffnote;file\r\na;star/1\r\nb;cat\\2.png\r\n", encoding="utf-8")
    assert [file.image_id for file in find_images([folder / "list.csv"])] == ["star/1.png", "cat/2.png"]
    (folder / "list.csv").write_text("note,count\na,1\n")
    with pytest.raises(DessinError, match="names an image; its columns are note, count"):
        find_images([folder / "list.csv"])


def test_unreadable_files_keep_a_row_with_the_reason(
    bundle: Path, folder: Path, drawings: dict[str, list[bytes]]
) -> None:
    (folder / "cat" / "1.png").write_bytes(drawings["cat"][1][:90])
    out = folder.parent / "p.csv"
    predictions = predict(bundle, [folder], out=out, top=2)
    bad = next(row for row in _rows(out) if row["image_id"] == "cat/1.png")
    assert bad["reason"] == predictions.unreadable[0].reason != ""
    assert bad["predicted"] == bad["probability"] == bad["top2"] == ""
    assert sum(row["reason"] == "" for row in _rows(out)) == 17


def test_only_unreadable_files_are_an_error_and_leave_nothing(bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"")
    with pytest.raises(DessinError, match="Not one of 1 image "):
        predict(bundle, [tmp_path / "a.png"], out=tmp_path / "p.csv")
    assert not (tmp_path / "p.csv").exists()


def test_below_the_threshold_there_is_no_answer(folder: Path, drawings: dict[str, list[bytes]]) -> None:
    model = make_bundle(folder.parent / "unsure", drawings, temperature=1e4, threshold=0.9)
    predict(model, [folder], out=folder.parent / "p.csv", top=3)
    for row in _rows(folder.parent / "p.csv"):
        assert row["predicted"] == row["name"] == ""
        assert row["reason"].startswith("below the threshold 0.900: ")


def test_nothing_and_nowhere_are_refused(bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    refused = (([], "No image was named"), ([tmp_path / "x"], "no file"), ([tmp_path / "empty"], "No image"))
    for paths, said in refused:
        with pytest.raises(DessinError, match=said):
            predict(bundle, paths, out=tmp_path / "p.csv")


def test_a_link_out_of_the_folder_is_refused(folder: Path, tmp_path: Path) -> None:
    outside = tmp_path / "secret.png"
    outside.write_bytes(b"x")
    (folder / "cat" / "link.png").symlink_to(outside)
    with pytest.raises(DessinError, match=r"link\.png"):
        find_images([folder])
