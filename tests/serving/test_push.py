"""A model on the hub: pushed after a plan, fetched whole, and the same in every byte and answer."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from hub_kit import Hub, Repository, hub_at, small_hub
from loopback_servers import free_port
from scribbles import encode, scribble
from tiny_run import apart, make_drawings, make_tiny_split, tiny_recipe

import dessin
from dessin.answers.committee import COMMITTEE_FILE, load_model
from dessin.answers.published import HubName, hub_name
from dessin.collection.split.files import read_split
from dessin.errors import DessinError
from dessin.models.card import CARD_FILE, WEIGHTS_FILE, change_card
from dessin.progress import quiet
from dessin.runs.joined import finished_record
from dessin.serving.push.licences import terms_of
from dessin.serving.push.verb import Pushed

pytestmark = [
    pytest.mark.slow,
    # The hub's client hands a file to its HTTP library by a name that this one calls old.
    pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning"),
]

HERE = "ann/owls"
ROOT = Path(__file__).parents[2]
PLACE = "pupils of class 3b"


@pytest.fixture(scope="module")
def group(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Three folds of a tiny run, and the collection in a folder whose name is nobody's business."""
    with apart(tmp_path_factory.mktemp("pushed")) as folder, quiet():
        data = make_drawings(folder / PLACE)
        split = make_tiny_split(data, folder / "split.csv")
        dessin.train(
            tiny_recipe("probe"), folds="all", data=data, split=split, out=folder / "group", threads=1
        )
        yield folder / "group"


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    monkeypatch.setenv("HF_TOKEN", "hf_ann")
    # Which a busy machine may need.
    monkeypatch.setattr("dessin.answers.published._TIMEOUT_S", 60.0)
    with small_hub(tmp_path / "cache") as served:
        yield served


@pytest.fixture
def loud(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is said can be read."""
    monkeypatch.setattr("dessin.progress._quiet", False)


@pytest.fixture
def apache(bundle: Path, tmp_path: Path) -> Path:
    """A bundle whose weights have a licence."""
    folder = shutil.copytree(bundle, tmp_path / "apache")
    change_card(folder, {"licence": "Apache-2.0"})
    return folder


def answers(model: str | Path, folder: Path) -> tuple[object, bytes]:
    """What a model says of a drawing: the numbers, and the table that is written."""
    image, out = folder / "new.png", folder / "predictions.csv"
    image.write_bytes(encode(scribble(3)))
    found = dessin.predict(model, image, out=out)
    return found.probabilities.tobytes(), out.read_bytes()


def front_matter(pushed: Pushed) -> dict[str, Any]:
    empty, head, _ = pushed.readme.split("---\n", 2)
    assert empty == ""
    return yaml.safe_load(head)


def test_a_bundle_that_was_pushed_is_the_same_in_every_byte_and_answer(
    hub: Hub,
    apache: Path,
    tmp_path: Path,
    loud: None,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pushed = dessin.push(apache, HERE)
    there = hub.repositories[HERE]
    assert there.private
    assert there.newest == pushed.commit
    assert set(there.files) == {".gitattributes", "README.md", CARD_FILE, WEIGHTS_FILE}
    for file in (CARD_FILE, WEIGHTS_FILE):
        assert there.files[file] == (apache / file).read_bytes()
    assert "of it are the names of the classes: tabby cat, house" in capsys.readouterr().out
    ours = answers(apache, tmp_path)
    assert answers(f"hub:{HERE}", tmp_path) == ours
    one, other = (dessin.load(model).predict(tmp_path / "new.png") for model in (apache, f"hub:{HERE}"))
    assert (one.label, one.probability) == (other.label, other.probability)
    (code,) = re.findall(
        r"^```python\n(.*?)^```$", (ROOT / "docs/hub.md").read_text(), re.MULTILINE | re.DOTALL
    )
    monkeypatch.chdir(tmp_path)
    capsys.readouterr()
    exec(compile(code.replace("anna/owls-and-cats", HERE), "hub.md", "exec"), {})
    assert capsys.readouterr().out.split()[-1] == str(other.unsure)
    assert repr(pushed).startswith(f"Pushed: hub:{HERE}. To {HERE} on the hub: a new repository, private.")
    pinned = f"hub:{HERE}@{pushed.commit}"
    assert answers(pinned, tmp_path) == ours
    (kept,) = dessin.weights(f"hub:{HERE}")
    assert (kept.sha256, kept.licence) == (load_model(apache).committee.weights["bundle"], "Apache-2.0")
    # A commit that was fetched is not asked for again; a branch is, and where nobody answers that is said.
    asked = len(hub.asked)
    assert answers(pinned, tmp_path) == ours
    assert len(hub.asked) == asked
    assert dessin.push(apache, HERE).commit == pushed.commit, "what is there already is not sent"
    capsys.readouterr()
    with hub_at(f"http://127.0.0.1:{free_port()}", tmp_path / "cache"):
        assert dessin.predict(f"hub:{HERE}", tmp_path / "new.png", out=tmp_path / "p.csv").image_ids
    assert f"the commit that was fetched before is used: {pushed.commit[:8]}" in capsys.readouterr().err


def test_the_readme_says_what_the_trust_card_does_and_nothing_of_whose_drawings_they_were(
    hub: Hub, group: Path, tmp_path: Path
) -> None:
    pushed = dessin.push(group, HERE, licence="mit", data_licence="with the pupils' consent")
    files = hub.repositories[HERE].files
    assert files["README.md"] == pushed.readme.encode()
    head, accuracy = front_matter(pushed), finished_record(group).results["validation"].accuracy
    assert (head["license"], head["pipeline_tag"]) == ("mit", "image-classification")
    (result,) = head["model-index"][0]["results"]
    assert result["metrics"][0]["value"] == round(accuracy.value, 4)
    assert f"n = {accuracy.n}" in result["metrics"][0]["name"]
    assert f"**{accuracy.value:.1%}**" in pushed.readme
    assert "pairs of copies on two sides | The accuracies may be too good." in pushed.readme
    for text in ("robustness suite was not run", "with the pupils' consent", f"dessin predict hub:{HERE}"):
        assert text in pushed.readme
    assert not re.search(r"(?<!\\)<", pushed.readme)
    assert "\\<script\\>alert(1)" in pushed.readme
    # What is a text there names no drawing, no place, and no one.
    told = b"".join(data for path, data in files.items() if not path.endswith(".safetensors")).decode()
    ids = [row.image_id for row in read_split(group.parent / "split.csv").rows]
    for secret in (*ids, PLACE, str(group.parent), "split.csv"):
        assert secret not in told
    assert {path.rpartition("/")[2] for path in files} == {
        ".gitattributes", "README.md", CARD_FILE, COMMITTEE_FILE, WEIGHTS_FILE
    }  # fmt: skip
    for fold in range(3):
        path = f"fold-{fold}/bundle/{WEIGHTS_FILE}"
        assert files[path] == (group / path).read_bytes()
    assert answers(f"hub:{HERE}", tmp_path) == answers(group, tmp_path)


def test_a_dry_run_says_what_would_be_sent_and_sends_nothing(
    hub: Hub,
    apache: Path,
    monkeypatch: pytest.MonkeyPatch,
    loud: None,
    capsys: pytest.CaptureFixture[str],
) -> None:
    planned = dessin.push(apache, HERE, dry_run=True)
    said = capsys.readouterr().out
    assert (planned.commit, hub.repositories) == ("", {})
    assert f"To {HERE} on the hub: a new repository, private." in said
    assert f"{WEIGHTS_FILE}      0.4" in said
    assert "It is not known how often it is right" in said
    assert not any(asked.startswith(("POST", "PUT")) for asked in hub.asked)
    monkeypatch.delenv("HF_TOKEN")
    assert dessin.push(apache, HERE, dry_run=True).readme == planned.readme
    assert "The hub was not asked: there is no token that says who you are." in capsys.readouterr().out


@pytest.mark.parametrize(
    ("there", "given", "words"),
    [
        ({"pytorch_model.bin": b"x", "README.md": b"mine"}, {}, r"no model of dessin: pytorch_model\.bin"),
        (
            {"README.md": b"mine"},
            {"replace": True},
            r"README\.md\. Nothing of it is touched",
        ),
        ({CARD_FILE: b"{}", WEIGHTS_FILE: b"x"}, {}, "would be replaced or removed.*Give --replace"),
        ({}, {"public": True, "data_licence": "mine"}, "ann/owls is private.*Leave out --public"),
        (None, {"public": True}, "not known who allowed the drawings.*--data-licence"),
        (
            None,
            {"repository": "bob/owls"},
            r"bob/owls could not be made \(it answered 403\).*name of your own",
        ),
        (None, {"repository": "owls"}, '"owls" is no name of a model on the hub.*OWNER/NAME'),
        (None, {"repository": "ann/../owls"}, "is no name of a model on the hub"),
        (None, {"model": "hub:bob/owls"}, "hub:bob/owls is on the hub already"),
    ],
)
def test_a_push_that_would_do_harm_is_refused_before_anything_is_sent(
    hub: Hub, apache: Path, there: dict[str, bytes] | None, given: dict[str, Any], words: str
) -> None:
    if there is not None:
        hub.repositories[HERE] = Repository(private=True)
        hub.repositories[HERE].commit(there)
    before = {name: found.files for name, found in hub.repositories.items()}
    arguments = {"model": apache, "repository": HERE} | given
    with pytest.raises(DessinError, match=words):
        dessin.push(**arguments)
    assert {name: found.files for name, found in hub.repositories.items()} == before


def test_a_repository_that_anybody_can_read_needs_to_be_meant(hub: Hub, apache: Path) -> None:
    hub.repositories[HERE] = Repository(private=False)
    hub.repositories[HERE].commit({})
    with pytest.raises(DessinError, match=r"PUBLIC, so anybody could read.*Give --public"):
        dessin.push(apache, HERE)
    dessin.push(apache, HERE, public=True, data_licence="CC BY 4.0")
    assert WEIGHTS_FILE in hub.repositories[HERE].files


def test_another_model_is_replaced_where_that_is_meant_and_its_own_files_alone(
    hub: Hub, apache: Path, group: Path, tmp_path: Path
) -> None:
    first = dessin.push(group, HERE, licence="mit")
    there = hub.repositories[HERE]
    there.commit({**there.files, "notes.txt": b"by hand"})
    plan = dessin.push(apache, HERE, replace=True).plan
    assert COMMITTEE_FILE in plan.removed
    assert set(there.files) == {".gitattributes", "README.md", "notes.txt", CARD_FILE, WEIGHTS_FILE}
    assert answers(f"hub:{HERE}", tmp_path) == answers(apache, tmp_path)
    assert answers(f"hub:{HERE}@{first.commit}", tmp_path) == answers(group, tmp_path)


def test_who_pushes_is_known_first(hub: Hub, apache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for token, words in (
        ("hf_eve", r"does not know this token \(it answered 401\).*hf auth"),
        ("", "no token"),
    ):
        monkeypatch.setenv("HF_TOKEN", token)
        with pytest.raises(DessinError, match=words):
            dessin.push(apache, HERE)
    assert hub.repositories == {}


def test_an_upload_that_breaks_off_leaves_nothing_to_see_and_goes_on(
    hub: Hub, apache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_once = SimpleNamespace(**{**vars(time), "sleep": lambda _: None})
    monkeypatch.setattr("huggingface_hub.utils._http.time", at_once)
    hub.drops = 99
    with pytest.raises(DessinError, match=r"broke off, and its files .*same command goes on"):
        dessin.push(apache, HERE)
    assert set(hub.repositories[HERE].files) == {".gitattributes"}
    with pytest.raises(DessinError, match=r"holds no model of dessin: it has none of bundle\.json"):
        load_model(Path(f"hub:{HERE}"))
    hub.drops = 0
    dessin.push(apache, HERE)
    assert answers(f"hub:{HERE}", tmp_path) == answers(apache, tmp_path)


def test_weights_that_are_not_their_card_s_are_not_read(
    hub: Hub, apache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dessin.push(apache, HERE)
    there = hub.repositories[HERE]
    other = bytearray(there.files[WEIGHTS_FILE])
    other[-1] ^= 1
    there.commit({**there.files, WEIGHTS_FILE: bytes(other)})
    monkeypatch.setattr("dessin.models.bundle.unpacked", lambda *_: pytest.fail("the weights were read"))
    for _ in range(2):
        with pytest.raises(DessinError, match=r"not those that its card .*push it anew"):
            load_model(Path(f"hub:{HERE}"))


def test_only_what_a_model_is_made_of_is_fetched_and_nothing_outside_of_it(
    hub: Hub, apache: Path, tmp_path: Path
) -> None:
    dessin.push(apache, HERE)
    there = hub.repositories[HERE]
    whole = {**there.files, "pytorch_model.bin": b"pickle", "code.py": b"1 / 0", "split.csv": b"a"}
    there.commit(whole)
    folder = load_model(Path(f"hub:{HERE}"))
    assert folder.committee.classes
    kept = {path.name for path in (tmp_path / "cache").rglob("snapshots/*/*")}
    assert kept == {CARD_FILE, WEIGHTS_FILE}
    there.commit({**whole, f"../../{CARD_FILE}": whole[CARD_FILE]})
    with pytest.raises(DessinError, match="holds a file that lies outside of it"):
        load_model(Path(f"hub:{HERE}"))


def test_a_model_that_is_not_to_be_had_is_a_sentence(
    hub: Hub, apache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dessin.push(apache, HERE)
    for name, words in (
        (f"{HERE}@v2", "has no revision v2"),
        ("ann/cats", "The hub shows no model ann/cats"),
    ):
        with pytest.raises(DessinError, match=words):
            load_model(Path(f"hub:{name}"))
    monkeypatch.setenv("HF_TOKEN", "hf_bob")
    with pytest.raises(DessinError, match=r"or it is private and not yours.*hf auth login"):
        load_model(Path(f"hub:{HERE}"))
    with (
        hub_at(f"http://127.0.0.1:{free_port()}", tmp_path / "empty"),
        pytest.raises(DessinError, match=f"hub:{HERE} is not on this machine, and the hub cannot be reached"),
    ):
        load_model(Path(f"hub:{HERE}"))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("hub:ann/owls", HubName("ann/owls")),
        (Path("hub:ann/owls@v1.2"), HubName("ann/owls", "v1.2")),
        ("hub:a_b/c.d-e@refs/pr/1", HubName("a_b/c.d-e", "refs/pr/1")),
        ("runs/first", None),
        ("./hub:ann/owls", None),
    ],
)
def test_a_name_of_the_hub_is_told_from_a_path(text: str | Path, found: HubName | None) -> None:
    assert hub_name(text) == found


@pytest.mark.parametrize(
    "text",
    [
        "hub:",
        "hub:owls",
        "hub:ann/owls/x",
        "hub:../x",
        "hub:a/b--c",
        "hub:a/b@../x",
        "hub:a/.",
        "hub:a/x.git",
    ],
)
def test_a_name_that_is_none_is_refused_at_once(text: str) -> None:
    with pytest.raises(DessinError, match="hub:OWNER/NAME"):
        hub_name(text)


def test_licences_decide_what_is_passed_on() -> None:
    assert terms_of("none", "") is None
    whole = terms_of("Apache-2.0; MIT", "")
    assert whole is not None
    assert (whole.hub, whole.written, whole.stated) == ("other", "Apache-2.0; MIT", False)
    weak = terms_of("cc-by-nc-4.0", "")
    assert weak is not None
    assert (weak.hub, weak.asks()) == ("cc-by-nc-4.0", ("Name the source.", "Not for commercial use."))
    said = terms_of("Apache-2.0; not stated", "dinov3-license")
    assert said is not None
    assert (said.hub, said.written, said.stated) == ("other", "Apache-2.0; dinov3-license", True)
    for licence, stated, words in (
        ("cc-by-nc-nd-4.0", "mit", "lets nobody pass on"),
        ("not stated", "", '"not stated", and dessin does not know.*--licence NAME'),
        ("Apache-2.0; dinov3-license", "", '"dinov3-license", and dessin does not know'),
        ("Apache-2.0", "mit", "keeps its licence"),
    ):
        with pytest.raises(DessinError, match=words):
            terms_of(licence, stated)
