"""The command line, made from the table of verbs; the room of a verb is imported when the verb runs."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final, Literal
from unicodedata import east_asian_width

import click
from click.shell_completion import get_completion_class

from dessin import __version__
from dessin.ending import told
from dessin.errors import DessinError, unknown
from dessin.language import LANGUAGES, VARIABLE, language, spoken, tr, translated
from dessin.places import Kind, check_readable, check_writable
from dessin.verbs import GROUPS, VERBS, Argument, Verb

# Paths that verbs write. All others must be there. Both are checked before a room is imported (seconds).
WRITTEN: Final = ("out", "page", "csv", "copy", "into")

SETTINGS: Final[dict[str, Any]] = {"help_option_names": ["-h", "--help"], "max_content_width": 120}

# Where a shell looks for completions, below the home folder.
COMPLETIONS: Final = {
    "bash": ".local/share/bash-completion/completions/dessin",
    "zsh": ".zfunc/_dessin",
    "fish": ".config/fish/completions/dessin.fish",
}


class _Cells(click.HelpFormatter):
    """Wraps by the cells of a terminal, of which a letter of Korean takes two; click counts letters."""

    _SECOND: Final = "\0"

    def write_text(self, text: str) -> None:
        super().write_text(self._counted(text))

    def write_dl(self, rows: Iterable[tuple[str, str]], col_max: int = 30, col_spacing: int = 2) -> None:
        super().write_dl([(name, self._counted(text)) for name, text in rows], col_max, col_spacing)

    def write(self, string: str) -> None:
        super().write(string.replace(self._SECOND, ""))

    def _counted(self, text: str) -> str:
        return "".join(c + self._SECOND * (east_asian_width(c) in "WF") for c in text)


class _Context(click.Context):
    formatter_class = _Cells


class VerbCommand(click.Command):
    """One verb: its parameters are read from the function's signature when they are first needed."""

    context_class = _Context

    def __init__(self, verb: Verb) -> None:
        super().__init__(verb.name, SETTINGS, self._call)
        self.verb = verb

    def get_short_help_str(self, limit: int = 45) -> str:  # noqa: ARG002 (a shell shows all of it)
        return translated(self.verb.sentence)

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        self.params = self.params or [*map(_parameter, self.verb.arguments()), _language_option()]
        return super().get_params(ctx)

    def _call(self, **given: Any) -> None:
        arguments = self.verb.arguments()
        for each in sorted(arguments, key=lambda each: each.name in WRITTEN):
            values = given[each.name] if each.many else [given[each.name]]
            for value in values:
                if value is not None:
                    _check_path(each, value)
        spread = [value for each in arguments if each.spread for value in given.pop(each.name)]
        named = {name: value for name, value in given.items() if value is not None}
        try:
            self.verb.function()(*spread, **named)
        except BrokenPipeError as error:
            # click would end in silence, as if nobody read the output any more.
            raise RuntimeError("a pipe to another process broke") from error

    def format_usage(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        needed = [each for each in self.verb.arguments() if each.required or each.positional]
        words = [_spelt(each) + ("" if each.positional else f" {each.name.upper()}") for each in needed]
        formatter.write_usage(ctx.command_path, " ".join([*words, f"[{tr('options')}]"]), _usage())

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        self.format_usage(ctx, formatter)
        arguments = self.verb.arguments()
        for paragraph in (self.verb.sentence, *self.verb.description()):
            formatter.write_paragraph()
            with formatter.indentation():
                formatter.write_text(_plain(translated(paragraph), arguments))
        rows = [(_spelt(each), _explained(each, arguments)) for each in arguments]
        first = sum(each.positional for each in arguments)
        last = [_language_row(), ("-h, --help", tr("Show this and stop."))]
        _section(formatter, tr("Arguments"), rows[:first])
        _section(formatter, tr("Options"), [*rows[first:], *last])
        _section(formatter, tr("Example"), [(self.verb.example, "")])


class _PathType(click.Path):
    """A path; an empty one is no name of the working folder, but a variable of the shell that is not set."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if value == "":
            self.fail("the path is empty; is a variable of the shell not set?", param, ctx)
        return Path(value)


class Verbs(click.Group):
    """All verbs; the help shows them in the groups of the table, each with its whole sentence."""

    context_class = _Context

    def format_usage(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        formatter.write_usage(ctx.command_path, " ".join(self.collect_usage_pieces(ctx)), _usage())

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        formatter.write_paragraph()
        with formatter.indentation():
            formatter.write_text(
                tr("From a folder of drawings to a classifier you can trust, and can say why.")
            )

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        records = filter(None, (param.get_help_record(ctx) for param in self.get_params(ctx)))
        rows = [(names, translated(text)) if text else _language_row() for names, text in records]
        _section(formatter, tr("Options"), rows)
        self.format_commands(ctx, formatter)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        for group, title in GROUPS.items():
            rows = [(each.name, translated(each.sentence)) for each in VERBS if each.group == group]
            _section(formatter, translated(title), rows)
        formatter.write_paragraph()
        formatter.write_text(tr("dessin VERB --help shows the options of a verb, and an example."))


def _usage() -> str:
    return f"{tr('Usage')}: "


def _section(formatter: click.HelpFormatter, title: str, rows: Sequence[tuple[str, str]]) -> None:
    if rows:
        with formatter.section(title):
            formatter.write_dl(rows)


def _check_path(argument: Argument, value: Any) -> None:
    """Refuse a path or the name of a recipe that leads nowhere, and a place that cannot be written."""
    if argument.words == "a path" and argument.name in WRITTEN:
        check_writable(value, _kind_written(argument), given=argument.option)
    elif argument.words.startswith("a path") and not (
        "hub:" in argument.words and str(value).startswith("hub:")
    ):
        try:
            check_readable(value)
        except DessinError as error:
            place = argument.name.upper() if argument.positional else argument.option
            text = _plain(argument.text)
            text = text if text[1:2].isupper() else text[:1].lower() + text[1:]
            allowed = f"It was given as {place}: {text} {error.allowed}".strip()
            raise DessinError(error.seen, allowed=allowed, do=error.do) from None
    elif argument.words.startswith("a recipe's name or file") and value != "none":
        _check_recipe(value, "recipe")
    elif argument.words.endswith("or a .csv") and str(value).endswith(".csv"):
        check_readable(Path(value))
    elif argument.words == "a study's name or file":
        _check_recipe(value, "study")


def _check_recipe(value: str, kind: Literal["recipe", "study"]) -> None:
    # Not at the top: it is no part of what the help needs.
    from dessin.recipes.verb import recipe_file

    if not value:
        raise DessinError(f"The name of the {kind} is empty.", do="dessin recipes lists all.")
    check_readable(recipe_file(value, kind))


def _kind_written(argument: Argument) -> Kind:
    """What a verb writes there: the text of the argument names a file by its ending, as (.csv)."""
    if not re.search(r"\(\.\w+\)", argument.text):
        return "folder"
    return "file or folder" if "folder" in argument.text else "file"


def _parameter(argument: Argument) -> click.Parameter:
    common: dict[str, Any] = {"type": _type(argument), "required": argument.required}
    if not (argument.default is None or isinstance(argument.default, tuple)):
        common["default"] = argument.default
    if argument.positional:
        places = -1 if argument.many else 1
        return click.Argument([argument.name], nargs=places, metavar=argument.name.upper(), **common)
    if argument.kind == "switch":
        return click.Option([argument.name, _spelt(argument)], is_flag=True, default=argument.default)
    return click.Option([argument.name, argument.option], multiple=argument.many, **common)


def _type(argument: Argument) -> click.ParamType[Any]:
    if argument.choices:
        return click.Choice(argument.choices)
    if argument.kind == "whole number":
        return click.IntRange(argument.least, argument.most)
    return {"number": click.FLOAT, "path": _PathType()}.get(argument.kind, click.STRING)


def _spelt(argument: Argument) -> str:
    """How the help spells an argument; a switch that is on has its opposite beside it."""
    if argument.positional:
        name = argument.name.upper() + (".." if argument.many else "")
        return name if argument.required else f"[{name}]"
    off = f"/--no-{argument.option.removeprefix('--')}" if argument.default is True else ""
    return argument.option + off


def _explained(argument: Argument, arguments: Sequence[Argument]) -> str:
    """What an argument is, then its type in words and its default."""
    notes = [] if argument.kind == "switch" else [spoken(argument.words)]
    if argument.positional and argument.many:
        notes = [tr("one or more: {words}", words=argument.words)]
    elif argument.required and not argument.positional:
        notes.append(tr("required"))
    elif argument.many:
        notes.append(tr("may be repeated"))
    elif argument.kind != "switch" and argument.default not in (None, "", ()):
        value = argument.default
        notes.append(tr("by default {value}", value=",".join(value) if isinstance(value, tuple) else value))
    text = _plain(translated(argument.text), arguments)
    return text + (f" ({', '.join(notes)})" if notes else "")


def _plain(text: str, arguments: Sequence[Argument] = ()) -> str:
    """A docstring's text without backticks, and with arguments as the command line spells them."""
    for each in arguments:
        text = text.replace(f"`{each.name}`", each.name.upper() if each.positional else each.option)
    return " ".join(text.replace("`", "").split())


def _speak(ctx: click.Context, _: click.Parameter, code: str | None) -> None:  # noqa: ARG001
    """Also threads and processes that a verb begins speak it."""
    if code:
        os.environ[VARIABLE] = code


def _language_option() -> click.Option:
    """Before the verb or after it. Eager, so that a help that is asked for after it is in it."""
    choice = click.Choice(LANGUAGES)
    return click.Option(["--language"], type=choice, is_eager=True, expose_value=False, callback=_speak)


def _language_row() -> tuple[str, str]:
    text = tr("Of pages, of what is printed and of the help; by default DESSIN_LANGUAGE, else the system's.")
    return "--language", f"{text} ({tr('one of {choices}', choices='|'.join(LANGUAGES))})"


def _install_completion(ctx: click.Context, _: click.Parameter, shell: str | None) -> None:
    if shell is None:
        return
    named = Path(os.environ.get("SHELL", "")).name if shell == "auto" else shell
    script = get_completion_class(named)
    if named not in COMPLETIONS or script is None:
        raise unknown("shell", named, COMPLETIONS)
    path = Path.home() / COMPLETIONS[named]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(script(ctx.command, {}, "dessin", "_DESSIN_COMPLETE").source(), encoding="utf-8")
    click.echo(f"Completions for {named} are in {path}, and work in a new shell.")
    click.echo(f"If TAB does nothing there, add this line to what {named} reads at its start: source {path}")
    ctx.exit()


@click.group(
    "dessin",
    cls=Verbs,
    commands={verb.name: VerbCommand(verb) for verb in VERBS},
    context_settings=SETTINGS,
    subcommand_metavar="VERB ...",
    params=[_language_option()],
)
@click.version_option(__version__, message="%(prog)s %(version)s", help="Show the version and stop.")
@click.help_option(*SETTINGS["help_option_names"], help="Show this and stop.")
@click.option(
    "--install-completion",
    metavar="[SHELL]",
    is_flag=False,
    flag_value="auto",
    is_eager=True,
    expose_value=False,
    callback=_install_completion,
    help="Let TAB complete verbs, options and paths, in bash, zsh or fish.",
)
def app() -> None:
    """From a folder of drawings to a classifier you can trust, and can say why."""


def main() -> None:
    """Run the command line: exit 0, 1 with one paragraph on stderr, or 2 for wrong usage."""
    with told(__version__, sys.argv[1:]):
        language()
        try:
            app.main(prog_name="dessin", standalone_mode=False)
        except click.ClickException as error:
            error.show()
            sys.exit(error.exit_code)
        except click.Abort as error:
            # click puts it in the place of a KeyboardInterrupt, which knows how to go on.
            raise error.__cause__ or KeyboardInterrupt from None
