"""The family map: every class once, clear refusals, and a file that comes back as it was."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dessin.committees.families.result import make_families, read_families, write_families
from dessin.errors import DessinError

CLASSES = ("cat", "dog", "lion", "saw", "sword")
FAMILY_OF = {"cat": "animals", "dog": "animals", "lion": "animals", "saw": "tools", "sword": "tools"}


def written(path: Path, *rows: str) -> Path:
    path.write_text("\n".join(["label,family", *rows]) + "\n")
    return path


def test_a_map_comes_back_from_its_file(tmp_path: Path) -> None:
    families = make_families(FAMILY_OF, CLASSES, {"cat": "it purrs, mostly"})
    write_families(families, tmp_path / "families.csv")
    assert read_families(tmp_path / "families.csv", CLASSES) == families
    assert families.names == ("animals", "tools")
    assert families.members("tools") == ("saw", "sword")


def test_a_file_by_hand_needs_no_reason_and_no_order(tmp_path: Path) -> None:
    rows = [f"{label},{FAMILY_OF[label]}" for label in reversed(CLASSES)]
    families = read_families(written(tmp_path / "f.csv", *rows), CLASSES)
    assert families.digest == make_families(FAMILY_OF, CLASSES).digest


def test_the_digest_is_of_the_families_and_not_of_the_reasons() -> None:
    plain = make_families(FAMILY_OF, CLASSES)
    assert make_families(FAMILY_OF, CLASSES, {"cat": "because"}).digest == plain.digest
    assert make_families(FAMILY_OF | {"cat": "tools"}, CLASSES).digest != plain.digest


def test_numbers_follow_the_order_of_the_classes() -> None:
    families = make_families(FAMILY_OF, CLASSES)
    assert families.numbers(CLASSES).tolist() == [0, 0, 0, 1, 1]
    assert families.numbers(CLASSES[::-1]).tolist() == [1, 1, 0, 0, 0]
    assert families.numbers(CLASSES).dtype == np.int64


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (["cat,a", "dgo,a", "lion,a", "saw,b", "sword,b"], 'Did you mean "dog"'),
        (["cat,a", "lion,a", "saw,b"], "2 of 5 classes have no family: dog, sword"),
        (["cat,a", "cat,b", "dog,a", "lion,a", "saw,b", "sword,b"], "two rows for cat"),
        (["cat,", "dog,a", "lion,a", "saw,b", "sword,b"], "cat has an empty family"),
        ([f"{label},all" for label in CLASSES], "nothing to route"),
        ([f"{label},{label}" for label in CLASSES], "alone in its family"),
    ],
)
def test_a_file_that_is_no_map_is_refused(tmp_path: Path, rows: list[str], said: str) -> None:
    with pytest.raises(DessinError) as caught:
        read_families(written(tmp_path / "f.csv", *rows), CLASSES)
    assert said in str(caught.value)
    assert "f.csv" in str(caught.value)
