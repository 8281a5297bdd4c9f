from pathlib import Path

from dessin.testing import check_tracker


def test_the_tracker_keeps_a_diary(tmp_path: Path) -> None:
    check_tracker('diary("Owls")', tmp_path / "run")
    lines = (tmp_path / "run" / "tracking" / "diary.md").read_text(encoding="utf-8").splitlines()
    assert lines[0] == "# Owls: run"
    assert [line.split(":")[0] for line in lines[1:]] == ["- epoch 1", "- epoch 2", "- epoch 3", "- finished"]
