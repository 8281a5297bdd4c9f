"""A name in a foreign file says nothing to the terminal."""

from __future__ import annotations

import pytest

from dessin import progress
from dessin.progress import say, warn


@pytest.mark.parametrize("speak", [say, warn])
def test_control_characters_are_spelt_out(
    speak: object, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "_quiet", False)
    assert callable(speak)
    speak("a\x1b]0;title\x07\rb\x9bc\td\n나무 é −0.4")
    shown = "".join(capsys.readouterr())
    assert "a\\x1b]0;title\\x07\\rb\\x9bc\td\n나무 é −0.4\n" in shown
