"""Which entries are people, and which are groups.

On most directories the object class says so. On Active Directory a computer is a `user`, too, and so are
the accounts of trusted domains (row S53); whom the administrator has disabled, `krbtgt` and Guest among
them, is not offered either (S34, S54). `PersonObjectClass` can't say that, so it is added here wherever
people are listed by their class: browsing, the members of groups, business cards.

The additional conditions are only for settings that speak of Active Directory: on other servers a filter on
an unknown attribute can be Undefined, and its negation, too (RFC 4511 section 4.5.1.7).

Many directories have groups of several classes, each with its own attribute for members (row S151): so
`GroupObjectClass` and `GroupMemberAttribute` may be lists, as in `groupOfNames,groupOfUniqueNames`.
"""

import re

from quintet.config import ServerSettings
from quintet.ldap import And, Entry, Equality, Extensible, Filter, Not, Or

BIT_AND = "1.2.840.113556.1.4.803"
"""Active Directory's matching rule for bits (S34)."""
ACCOUNT_DISABLED = b"2"
"""The bit of `userAccountControl` (S22)."""
TRUST_ACCOUNT = b"805306370"
"""`sAMAccountType` of the account of a trusted domain (S53)."""
USER_ACCOUNT = "805306368"
"""`sAMAccountType` of people: neither computers nor trusts (S53)."""

PRIMARY_GROUP_ID = "primaryGroupID"
"""Of a user, the number of the primary group (S55)."""
PRIMARY_GROUP_TOKEN = "primaryGroupToken"  # noqa: S105  # the name of an attribute
"""Of a group, the number that its primary members have. It comes only if it is asked for (S57)."""

_USER = "user"
_COMPUTER = "computer"
_SPOKEN = re.compile(
    r"samaccount|userprincipalname|useraccountcontrol|objectguid|objectsid|primarygroup|distinguishedname"
    r"|objectcategory",
    re.IGNORECASE,
)


def is_active_directory(person_class: str, *texts: str) -> bool:
    """Whether settings are for Active Directory: the class of people is `user`, and an attribute is its own.

    Args:
        person_class: `PersonObjectClass`.
        texts: Filters and attribute names of the same settings.
    """
    return person_class.casefold() == _USER and any(map(_SPOKEN.search, texts))


def of_person_class(person_class: str, *texts: str, disabled: bool = False) -> Filter:
    """The filter for people, by their class.

    Args:
        person_class: `PersonObjectClass`.
        texts: As for `is_active_directory`.
        disabled: Whether disabled accounts count, as they do among the members of a group.
    """
    of_class = Equality("objectClass", person_class.encode())
    if not is_active_directory(person_class, *texts):
        return of_class
    no = [Equality("objectClass", _COMPUTER.encode()), Equality("sAMAccountType", TRUST_ACCOUNT)]
    barred: list[Filter] = [] if disabled else [Extensible("userAccountControl", BIT_AND, ACCOUNT_DISABLED)]
    return And((of_class, *(Not(each) for each in (*no, *barred))))


def people_of(server: ServerSettings, *, disabled: bool = False) -> Filter:
    """The filter for the people of a server, as `of_person_class`."""
    return of_person_class(*spoken(server), disabled=disabled)


def spoken(server: ServerSettings) -> tuple[str, str, str, str]:
    """What `is_active_directory` judges the settings of a server by."""
    filters = (server.login_filter.text, server.person_filter.text)
    return (server.person_class, *filters, server.user_id_attribute or "")


def is_computer(entry: Entry) -> bool:
    """Whether the entry is the account of a machine; it must have been read with `objectClass`."""
    return any(name.casefold() == _COMPUTER for name in entry.texts("objectClass"))


def listed(names: str) -> tuple[str, ...]:
    """The names in a setting that may be a list, with commas or blanks between them; each once."""
    return tuple(dict.fromkeys(name for name in re.split(r"[\s,;|]+", names) if name))


def of_group_class(group_class: str) -> Filter:
    """The filter for groups, by `GroupObjectClass`."""
    each = tuple(Equality("objectClass", name.encode()) for name in listed(group_class))
    return each[0] if len(each) == 1 else Or(each)


def is_group(entry: Entry, group_class: str, member_attribute: str) -> bool:
    """Whether the entry is of one of the classes, or has members; it must have been read with both."""
    classes = {name.casefold() for name in entry.texts("objectClass")}
    if any(name.casefold() in classes for name in listed(group_class)):
        return True
    return any(entry.get(name) for name in listed(member_attribute))
