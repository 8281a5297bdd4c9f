"""The reference of verbs: a page for each group of `dessin.verbs.VERBS`, from signatures and docstrings."""

from __future__ import annotations

from dessin.recipes.verb import TITLES, packaged
from dessin.verbs import GROUPS, VERBS, Argument, Verb
from reference import MissingError, code, entry, plain
from source_code import modules


def verb_pages() -> dict[str, str]:
    """Name of the page → its Markdown."""
    pages = {}
    for group, title in GROUPS.items():
        verbs = [verb for verb in VERBS if verb.group == group]
        if not verbs:
            raise MissingError(f"The group {group} has no verb.")
        pages[f"verbs-{group}"] = f"# {title}\n\n" + "\n".join(map(verb_section, verbs))
    return pages


def verbs_index() -> str:
    """All verbs with their sentences, by group."""
    text = [
        "# Verbs",
        "`dessin VERB INPUT --out OUT` on the command line, `dessin.VERB(input, out=out)` in Python: both "
        "are the same function, and these pages are made from its signature. A verb ends with 0 when it is "
        "done, with 1 and one paragraph when something can be put right, with 2 when it was called wrongly.",
    ]
    for group, title in GROUPS.items():
        rows = "\n".join(
            f"| [{verb.name}](verbs-{group}.md#{verb.name}) | {plain(verb.sentence)} |"
            for verb in VERBS
            if verb.group == group
        )
        text.append(f"## {title}\n\n| verb | what it does |\n|---|---|\n{rows}")
    return "\n\n".join(text) + "\n"


def verb_section(verb: Verb) -> str:
    """A verb: sentence, example, description, its options, and the function."""
    if not verb.sentence.endswith(".") or not verb.example.startswith(f"dessin {verb.name}"):
        raise MissingError(f"The verb {verb.name} needs a whole sentence and an example in dessin/verbs.py.")
    arguments = verb.arguments()
    for argument in arguments:
        if not argument.text:
            raise MissingError(
                f"{verb.home}: the docstring of {verb.name} says nothing of `{argument.name}` under Args."
            )
    parts = [f"## {verb.name}", plain(verb.sentence), f"    {verb.example}"]
    parts += [plain(spelt(paragraph, arguments)) for paragraph in verb.description()]
    if arguments:
        rows = "\n".join(option_row(argument, arguments) for argument in arguments)
        parts.append(f"| argument | what it is | type |\n|---|---|---|\n{rows}")
    signature = entry(modules()[verb.home], verb.name).split("\n\n")[1]
    parts.append(f"In Python, `dessin.{verb.name}`:")
    parts.append(signature if signature.startswith("```") else code(signature))
    return "\n\n".join(parts) + "\n"


def recipes_page() -> str:
    """Every recipe and study that comes with dessin: what to expect, and the file itself."""
    text = [
        "# Recipes",
        "These come with dessin. A name stands for the file: `dessin train lite0-128`, `dessin study mixup`. "
        "`dessin recipes --copy DIR` copies them, to be read and changed.",
    ]
    for kind, title in TITLES.items():
        text.append(f"## {title}")
        for each in packaged():
            if each.kind == kind:
                file = each.path.read_text(encoding="utf-8").rstrip()
                text += [f"### {each.name}", f"```yaml\n{file}\n```"]
    return "\n\n".join(text) + "\n"


def option_row(argument: Argument, arguments: tuple[Argument, ...]) -> str:
    """How the command line spells it (and Python, where that differs), what it is, its type and default."""
    if argument.positional:
        name = argument.name.upper() + (".." if argument.many else "")
        name = f"`{name}`" if argument.required else f"`[{name}]`"
    else:
        spelling = argument.option
        if argument.default is True:
            spelling = f"{spelling}/--no-{spelling.removeprefix('--')}"
        name = f"`{spelling}`"
        if argument.option != f"--{argument.name.replace('_', '-')}":
            name += f" (in Python `{argument.name}`)"
    notes = [] if argument.kind == "switch" else [argument.words]
    if argument.required:
        notes.append("required")
    elif argument.kind != "switch" and argument.default not in (None, "", ()):
        value = argument.default
        notes.append(f"default {','.join(map(str, value)) if isinstance(value, tuple) else value}")
    if argument.many and not argument.positional:
        notes.append("may be repeated")
    cells = (name, plain(spelt(argument.text, arguments)), plain(", ".join(notes)) or "a switch")
    return "| " + " | ".join(cells) + " |"


def spelt(text: str, arguments: tuple[Argument, ...]) -> str:
    """Words of a docstring with its arguments as the command line writes them."""
    for each in arguments:
        text = text.replace(f"`{each.name}`", f"`{each.name.upper() if each.positional else each.option}`")
    return " ".join(text.split())
