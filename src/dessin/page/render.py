"""Documents from the templates of other rooms: always escaped, and an undefined name is an error."""

from __future__ import annotations

from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined


def render_piece(package: str, template: str, **context: object) -> str:
    """Render `template`, which lies in the folder of `package`."""
    return _environment(package).get_template(template).render(**context)


@cache
def _environment(package: str) -> Environment:
    loader = PackageLoader(package, "")
    return Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
