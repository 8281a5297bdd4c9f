from __future__ import annotations

import pytest

from dessin.auto.doctor import doctor
from dessin.models.weights import PACKAGED

pytestmark = pytest.mark.slow


def test_it_finds_the_packaged_weights_and_a_device() -> None:
    findings = doctor()
    for backbone in PACKAGED:
        assert findings[f"Weights {backbone}"].startswith("package")
        assert "Apache-2.0" in findings[f"Weights {backbone}"]
    assert findings["Device"].split(":")[0] in {"cpu", "cuda", "mps"}
    assert findings["Package torch"] != "not installed"
