"""The kit for plugins: what is dessin's own passes, and each kind of fault is found and said."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from plugin_kit import install
from scribbles import encode, scribble, write_drawings

from dessin import plugins
from dessin.augmentation.ops import OPS
from dessin.collection.issues import CHECKS
from dessin.collection.readers.detect import READERS
from dessin.models.losses import LOSSES
from dessin.testing import check_audit_check, check_corruption, check_loss, check_op, check_reader
from dessin.trust.robustness.suite import SUITE

OP = """
from dessin.augmentation.draws import symmetric
from dessin.augmentation.ops import strength
from dessin.augmentation.spec import Act, OpSpec

OP = OpSpec("{name}", "", (strength("amount", 1),), Act("{name}", pixels="{module}:act"), 1, symmetric)


def act(pixels, background, values, seeds):
    {body}
"""
LOSS = """
from dessin.models.losses import LossSpec

LOSS = LossSpec("{name}", "{module}:loss")


def loss(logits, targets):
    {body}
"""
CHECK = """
from dessin.collection.checks.base import Check, Issue


class Faulty(Check):
    name = "{name}"
    title = short = summary = "faulty"

    def run(self, context):
        {body}


CHECK = Faulty()
"""
READER = """
from dessin.collection.readers.collection import Collection, Item, Reader


class Faulty(Reader):
    name = "{name}"

    def matches(self, path):
        return (path / "mine").exists()

    def read(self, path, group_column):
        {body}


READER = Faulty()
"""


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    plugins._found.cache_clear()
    for table in (OPS, LOSSES, CHECKS, READERS):
        table._loaded.clear()
    for module in [name for name in sys.modules if name.startswith("faulty_")]:
        del sys.modules[module]


def add(site: Path, kind: str, source: str, number: int, body: str) -> str:
    """Install a package with one entry; returns its name, which no other test has: functions are cached."""
    name, module = f"faulty{number}", f"faulty_{kind}_{number}"
    text = source.format(name=name, module=module, body=body)
    install(site, module, {f"{kind}.{name}": f"{module}:{kind.upper()}"}, {f"{module}.py": text})
    plugins._found.cache_clear()
    return name


@pytest.mark.parametrize(
    ("number", "body", "words"),
    [
        (0, "return pixels + 20 * (pixels < 99), background", ""),
        (1, "return pixels, background", "it changed none of 16 gray doodles"),
        (
            2,
            "return (pixels * 1.5 - pixels.mean() / 9).clamp(0, 255), background",
            "alone, doodle 0 came out",
        ),
        (3, "return pixels * __import__('torch').rand(1), background", "the same seed gave other pixels"),
        (4, "return pixels / 0 * 0, background", "not finite"),
    ],
)
def test_a_faulty_op_is_found(site: Path, number: int, body: str, words: str) -> None:
    text = f"{add(site, 'op', OP, number, body)}(0.5)"
    if not words:
        check_op(text)
        return
    with pytest.raises(AssertionError, match=words):
        check_op(text)


@pytest.mark.parametrize(
    ("number", "body", "words"),
    [
        (0, "return -(targets * logits.float().log_softmax(1)).sum(1)", ""),
        (1, "return -(targets * logits.float().log_softmax(1)).sum(1).mean()", r"12 images gave \(\) values"),
        (2, "return -(targets * (logits.float() * 9).softmax(1).log()).sum(1)", "not finite"),
        (3, "return (targets * logits.float().log_softmax(1)).sum(1)", "a right answer costs no less"),
        (4, "return -(targets * logits.log_softmax(1)).sum(1).to(logits.dtype)", "not compute in float32"),
        (5, "return -(targets * logits.float().log_softmax(1)).sum(1).cumsum(0)", "order of its batch"),
    ],
)
def test_a_faulty_loss_is_found(site: Path, number: int, body: str, words: str) -> None:
    text = add(site, "loss", LOSS, number, body)
    if not words:
        check_loss(text)
        return
    with pytest.raises(AssertionError, match=words):
        check_loss(text)


@pytest.mark.parametrize(
    ("number", "body", "words"),
    [
        (0, "return [self.issue(next(context.images())[0], 1.0, '')]", ""),
        (1, "return []", "it found"),
        (2, "return [Issue('elsewhere.png', self.name, 1.0)]", "names no image"),
        (3, "return [Issue('a/1.png', self.name, 7.0)]", "is no share"),
        (4, "return [Issue('a/1.png', 'blank', 1.0)]", "issues named blank"),
    ],
)
def test_a_faulty_check_is_found(site: Path, number: int, body: str, words: str) -> None:
    data = write_drawings(site / "data", {f"{label}/1.png": encode(scribble(1)) for label in "ab"})
    name = add(site, "check", CHECK, number, body)
    if not words:
        assert [issue.image_id for issue in check_audit_check(name, data, ["a/1.png"])] == ["a/1.png"]
        return
    with pytest.raises(AssertionError, match=words):
        check_audit_check(name, data, ["a/1.png"])


@pytest.mark.parametrize(
    ("number", "layout", "items", "words"),
    [
        (0, "self.name", "Item('a/1.png', 'a'),", ""),
        (1, "'csv'", "Item('a/1.png', 'a'),", "say that they are csv"),
        (2, "self.name", "", "not sorted by image_id"),
        (3, "self.name", "Item('a/1.png', 'b'),", "classes are not the sorted labels"),
        (4, "self.name", "Item('a/2.png', 'a'),", "there is no file"),
    ],
)
def test_a_faulty_reader_is_found(site: Path, number: int, layout: str, items: str, words: str) -> None:
    data = write_drawings(site / "data", {"a/1.png": encode(scribble(1)), "mine": b""})
    body = f"return Collection(path, {layout}, ({items}), ('a',), {{'a': 'a', 'b': 'b'}})"
    name = add(site, "reader", READER, number, body)
    if not words:
        assert check_reader(name, data).layout == name
        return
    with pytest.raises(AssertionError, match=words):
        check_reader(name, data)


@pytest.mark.parametrize("text", ["rotate(15)", "noise(0.2)", "augmix(3)", "cutmix(1.0)"])
def test_ops_of_dessin_hold(text: str) -> None:
    check_op(text)


@pytest.mark.parametrize("text", ["cross_entropy", "focal(2)", "asymmetric(1, 4)", "triplet(0.3)"])
def test_losses_of_dessin_hold(text: str) -> None:
    check_loss(text)


@pytest.mark.parametrize("name", [corruption.name for corruption in SUITE])
def test_corruptions_of_dessin_hold(name: str) -> None:
    check_corruption(name)
