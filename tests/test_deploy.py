"""What is written down for others to run: its command lines are those of this version's command line."""

from __future__ import annotations

import configparser
import json
import re
import shlex
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import click
import pytest

from dessin import cli
from dessin.verbs import VERBS

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
UNIT = ROOT / "deploy" / "dessin.service"
CONTAINERFILE = (ROOT / "Containerfile").read_text()
SERVING = (ROOT / "docs" / "serving.md").read_text()
PAGES = [ROOT / "README.md", ROOT / "README.ko.md", *sorted((ROOT / "docs").glob("*.md"))]


def parse(words: list[str]) -> dict[str, Any]:
    """The options of a dessin command line, `["serve", "model", ..]`; a usage error is raised."""
    assert words[0] in cli.app.commands
    context = cli.app.commands[words[0]].make_context(words[0], words[1:])
    return dict(context.params)


def unit() -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    parser.optionxform = str  # type: ignore[method-assign, assignment]
    parser.read_string(UNIT.read_text())
    return parser


def instruction(name: str) -> str:
    joined = CONTAINERFILE.replace("\\\n", " ")
    return re.findall(rf"^{name} (.*)$", joined, re.MULTILINE)[-1]


def test_the_unit_runs_a_command_that_exists() -> None:
    program, *words = shlex.split(unit()["Service"]["ExecStart"])
    assert program.endswith("/bin/dessin")
    options = parse(words)
    assert (words[0], options["host"], options["port"]) == ("serve", "127.0.0.1", 8000)
    assert str(options["token_file"]).endswith("/token")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("DynamicUser", "yes"),
        ("ProtectSystem", "strict"),
        ("NoNewPrivileges", "yes"),
        ("CapabilityBoundingSet", ""),
        ("KillSignal", "SIGTERM"),
    ],
)
def test_the_unit_is_hardened(key: str, value: str) -> None:
    assert unit()["Service"][key] == value


def test_the_unit_bounds_memory_and_waits_for_what_is_in_flight() -> None:
    service = unit()["Service"]
    assert re.fullmatch(r"\d+G", service["MemoryMax"])
    assert int(service["TimeoutStopSec"]) >= 60


def test_the_unit_works_in_a_folder_where_nothing_lies() -> None:
    service = unit()["Service"]
    assert service["WorkingDirectory"] == f"%t/{service['RuntimeDirectory']}"
    assert service["WorkingDirectory"] not in service["Environment"]


def test_systemd_accepts_the_unit(tmp_path: Path) -> None:
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("systemd-analyze is not here, so the unit was not verified by systemd.")
    text = re.sub(
        r"^ExecStart=\S+", f"ExecStart={shutil.which('true')}", UNIT.read_text(), flags=re.MULTILINE
    )
    copy = tmp_path / "dessin.service"
    copy.write_text(text)
    verified = subprocess.run([analyze, "verify", str(copy)], capture_output=True, text=True)
    assert (verified.returncode, verified.stderr) == (0, "")


def test_the_container_runs_a_command_that_exists() -> None:
    assert json.loads(instruction("ENTRYPOINT")) == ["dessin"]
    options = parse(json.loads(instruction("CMD")))
    assert (str(options["model"]), options["host"], options["port"]) == ("/model", "0.0.0.0", 8000)
    assert instruction("EXPOSE") == "8000"


def test_the_container_checks_its_health_on_that_port() -> None:
    check = instruction("HEALTHCHECK")
    words = json.loads(check[check.index("[") :])
    assert words[:2] == ["python", "-c"]
    compile(words[2], "healthcheck", "exec")
    assert "http://127.0.0.1:8000/healthz" in words[2]


def test_the_container_works_in_a_folder_where_nothing_lies() -> None:
    last = CONTAINERFILE[CONTAINERFILE.rindex("\nFROM ") :]
    (folder,) = re.findall(r"^WORKDIR (.*)$", last, re.MULTILINE)
    assert folder == "/var/empty"
    assert CONTAINERFILE.count(folder) == 1


def test_the_base_of_the_container_is_fixed_by_its_digest() -> None:
    (base,) = re.findall(r"^ARG BASE=(.*)$", CONTAINERFILE, re.MULTILINE)
    assert re.fullmatch(r"docker\.io/library/python:3\.12-slim@sha256:[0-9a-f]{64}", base)
    assert set(re.findall(r"^FROM (\S+)", CONTAINERFILE, re.MULTILINE)) == {"${BASE}"}


def pins(text: str) -> dict[str, str]:
    """name → version of each package that a file fixes."""
    found = re.findall(r"^([\w.-]+)==(\S+)", text, re.MULTILINE)
    return {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in found}


def test_what_is_installed_by_hash_is_what_the_constraints_say_and_all_of_it() -> None:
    serve, dev = ((ROOT / "locks" / f"{name}.txt").read_text() for name in ("serve", "dev"))
    allowed = pins((ROOT / "constraints.txt").read_text())
    locked = pins(serve) | pins(dev)
    assert {name: allowed.get(name) for name in locked} == locked
    # Those that only other systems, or nobody, need.
    assert set(allowed) - set(locked) == {"tzdata", "uvloop"}
    assert not set(pins(serve)) & set(pins(dev))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["serve"]]
    names = {re.match(r"[\w.-]+", line).group().lower() for line in wanted}  # type: ignore[union-attr]
    assert {re.sub(r"[-_.]+", "-", name) for name in names - {"dessin"}} <= set(pins(serve))
    for text in (serve, dev):
        for line in text.splitlines():
            assert re.fullmatch(
                r"#.*|-r serve\.txt|[\w.-]+==[\w.]+ \\|    --hash=sha256:[0-9a-f]{64}( \\)?", line
            )
        assert "://" not in text


def test_ci_and_the_container_install_by_hash() -> None:
    assert "--require-hashes -r locks/serve.txt" in CONTAINERFILE
    assert "make test LOCKED=1" in (ROOT / ".ci" / "run").read_text()
    assert "--require-hashes -r locks/dev.txt" in (ROOT / "Makefile").read_text()


def test_the_container_is_not_root_and_copies_only_what_is_there() -> None:
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", instruction("USER"))
    allowed = {
        line[1:] for line in (ROOT / ".containerignore").read_text().splitlines() if line.startswith("!")
    }
    copied = {
        word
        for line in re.findall(r"^COPY (?!--from)(.*)$", CONTAINERFILE, re.MULTILINE)
        for word in line.split()[:-1]
    }
    assert copied == allowed
    assert all((ROOT / name).exists() for name in copied)


def commands(page: Path) -> list[str]:
    """The dessin command lines in the code of a page."""
    return re.findall(r"^ {4}(dessin [a-z]+\b.*)$", page.read_text(), re.MULTILINE)


def accepted(line: str) -> bool:
    try:
        parse(shlex.split(line, comments=True)[1:])
    except click.UsageError:
        return False
    return True


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_commands_of_every_page_are_accepted(page: Path) -> None:
    assert [line for line in commands(page) if not accepted(line)] == []


def test_a_command_that_does_not_exist_would_be_seen() -> None:
    assert not accepted("dessin serve model --prot 80")


def test_pages_show_commands_at_all() -> None:
    assert len([page for page in PAGES if commands(page)]) >= 5


def test_what_the_english_readme_shows_the_korean_one_shows_too() -> None:
    for pattern in (r"^ {4}dessin ([a-z]+)", r"\]\((docs/[^)]+)\)"):
        english, korean = (set(re.findall(pattern, page.read_text(), re.MULTILINE)) for page in PAGES[:2])
        assert english
        assert english - korean == set()


def test_the_page_on_serving_shows_every_option() -> None:
    (serve,) = (verb for verb in VERBS if verb.name == "serve")
    options = [argument.option for argument in serve.arguments() if not argument.positional]
    assert len(options) >= 5
    assert [option for option in options if option not in SERVING] == []


def test_pictures_are_small_and_those_that_a_readme_shows_are_there() -> None:
    pictures = sorted((ROOT / "docs" / "pictures").iterdir())
    assert pictures
    assert [path for path in pictures if path.stat().st_size >= 200 * 1024] == []
    shown = {
        name for page in PAGES for name in re.findall(r"\]\(((?:docs/)?pictures/[^)]+)\)", page.read_text())
    }
    names = {f"docs/{name.removeprefix('docs/')}" for name in shown}
    assert names - {path.relative_to(ROOT).as_posix() for path in pictures} == set()
