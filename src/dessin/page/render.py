"""Pages from templates: always escaped, and an undefined name is an error, never an empty string."""

from __future__ import annotations

from functools import cache

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from dessin.page import numbers
from dessin.progress import duration

# What templates write numbers with, by the names that the functions have.
_FILTERS = (
    numbers.at_least,
    numbers.capital,
    numbers.change,
    numbers.counted,
    duration,
    numbers.listed,
    numbers.number,
    numbers.p_value,
    numbers.percent,
    numbers.plain,
    numbers.points,
    numbers.share,
    numbers.short,
    numbers.signed,
    numbers.size,
    numbers.spent,
    numbers.times,
    numbers.written_p,
)


def render_page(package: str, template: str, **context: object) -> str:
    """Render `template` of the package `package`; it may extend `base.html` and import `parts.html`.

    Every value is escaped, and the functions of `dessin.page.numbers` are filters, as is `duration`.

    Args:
        package: the dotted name of the package in whose folder the template lies.
        context: what the template shows; `title` is needed by `base.html`.
    """
    return _environment(package).get_template(template).render(**context)


@cache
def _environment(package: str) -> Environment:
    loader = ChoiceLoader([PackageLoader(package, ""), PackageLoader("dessin.page", "")])
    environment = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {function.__name__: function for function in _FILTERS}
    environment.globals["stylesheet"] = _stylesheet()
    return environment


def _stylesheet() -> Markup:
    """The shared stylesheet; it is our own file, so it is not escaped."""
    loader = PackageLoader("dessin.page", "")
    return Markup(loader.get_source(Environment(autoescape=True), "style.css")[0])
