from pathlib import Path

from PIL import Image

from dessin.testing import check_audit_check


def test_the_check_finds_what_is_small(tmp_path: Path) -> None:
    for name, side in (("cat/a.png", 200), ("cat/b.png", 40), ("dog/a.png", 200), ("dog/b.png", 190)):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.linear_gradient("L").resize((side, side)).save(tmp_path / name)
    check_audit_check("tiny", tmp_path, {"cat/b.png"})
