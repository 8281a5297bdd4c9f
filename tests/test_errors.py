"""Hints that can be followed: the nearest name, and a command for how dessin was installed."""

from __future__ import annotations

import importlib.metadata
import json
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from dessin.errors import DessinError, install_command, unknown


def test_an_error_says_what_was_seen_what_is_allowed_and_what_to_do() -> None:
    assert str(DessinError("Seen.", allowed="Allowed.", do="Do.")) == "Seen. Allowed. Do."
    assert 'Did you mean "soft"?' in str(unknown("rule", "Sofft", ["hard", "soft"]))
    assert "Did you mean" not in str(unknown("rule", "xyz", ["hard", "soft"]))


@pytest.mark.parametrize(
    ("origin", "wanted"),
    [
        (None, "'dessin[serve]'"),
        ({"url": "file:///a/dessin-1-py3-none-any.whl", "archive_info": {}}, None),
        ({"url": "file:///a/my%20checkout", "dir_info": {"editable": True}}, "-e '/a/my checkout[serve]'"),
    ],
)
def test_an_extra_is_installed_from_where_dessin_came(
    origin: dict[str, object] | None, wanted: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = SimpleNamespace(read_text=lambda _: None if origin is None else json.dumps(origin))
    monkeypatch.setattr(importlib.metadata, "distribution", lambda _: found)
    wanted = wanted or f"'dessin[serve] @ {(origin or {})['url']}'"
    assert install_command("serve") == f"{sys.executable} -m pip install {wanted}"


def test_this_checkout_is_known() -> None:
    """Where the tests run, dessin is installed from its folder, or only found on a path."""
    command = install_command("onnx")
    assert command.startswith(f"{sys.executable} -m pip install ")
    assert "[onnx]" in command
    assert " @ " not in command or Path(command.partition(" @ file://")[2].rstrip("'")).exists()
