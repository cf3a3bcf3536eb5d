"""D39: Sametime's shortcut for mail addresses goes around whom the login filter bars."""

from collections.abc import Iterator

from quintet.admin.doctor.report import Report
from quintet.config.ini_values import IniValues
from quintet.config.settings import Settings
from quintet.ldap.errors import FilterSyntaxError
from quintet.ldap.filters import And, Equality, Filter, Not, Or, Present, parse

_KEY = "USE_SEPARATE_FILTER_FOR_MAIL_SEARCHES"
_OFF = ("0", "false", "no")
_CLASSES = ("objectclass", "objectcategory")


def check_mail_shortcut(settings: Settings, values: IniValues, report: Report) -> None:
    """Told when the shortcut is not off and the filter has more than names and object classes."""
    value = values.get(_KEY)
    if value is not None and value.text.strip().casefold() in _OFF:
        return
    for server in settings.servers:
        bars = [str(term) for term in _terms(server.login_filter.text) if _is_bar(term)]
        if bars:
            where = f"set {_KEY}=0 in [Directory] of sametime.ini"
            report.add("D39", f"{server.place}: UserDnSearchFilter demands {', '.join(bars)}", where)


def _terms(text: str) -> Iterator[Filter]:
    """What everybody must fulfil: the terms of the outermost AND."""
    try:
        tree = parse(text)
    except FilterSyntaxError:
        return
    if isinstance(tree, And):
        yield from tree.filters


def _is_bar(term: Filter) -> bool:
    """Whether the term has neither a name nor an object class in it."""
    if isinstance(term, And | Or):
        return all(_is_bar(each) for each in term.filters)
    if isinstance(term, Not):
        return _is_bar(term.filter)
    if isinstance(term, Equality | Present) and term.attribute.casefold() in _CLASSES:
        return False
    return "%s" not in str(term)
