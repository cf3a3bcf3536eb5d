"""D39: Sametime's shortcut for mail addresses bypasses what else the login filter requires."""

from collections.abc import Iterator

from quintet.admin.doctor.checks import Checks
from quintet.config import Settings
from quintet.diagnostics import Pitfall
from quintet.ldap import And, Equality, Filter, FilterSyntaxError, Not, Or, Present, parse

_CLASSES = ("objectclass", "objectcategory")


def check_mail_shortcut(settings: Settings, checks: Checks) -> None:
    """Reported when the shortcut is not off and the filter has more than names and object classes."""
    for server in settings.servers if settings.directory.mail_shortcut else ():
        bars = [str(term) for term in _terms(server.login_filter.text) if _is_bar(term)]
        if bars:
            message = f"UserDnSearchFilter requires {', '.join(bars)}"
            checks.add(Pitfall.D39, server.place_of("UserDnSearchFilter"), message, key="UserDnSearchFilter")


def _terms(text: str) -> Iterator[Filter]:
    """What every user must match: the terms of the outermost AND."""
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
