"""The sections `[Application-NAME]` of sametime.ini: applications whose proxy asks Quintet who signed in."""

import re
from dataclasses import dataclass

from quintet.config.ini_values import IniValues
from quintet.config.parsers import SettingsReader, invalid
from quintet.config.schema import KNOWN_INI
from quintet.diagnostics import Diagnostics, Finding
from quintet.ldap import DN, DNSyntaxError

_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_ENCODINGS = {"utf-8": False, "percent": True}
_SEPARATOR = re.compile(r"(?<!\\);")


@dataclass(frozen=True, slots=True)
class GroupName:
    """A group as settings name it: by its DN, or by its name, in small letters."""

    text: str
    dn: DN | None

    def is_group(self, name: str, dn: DN | None) -> bool:
        """Whether the group with this name and DN is meant."""
        return self.dn == dn if self.dn is not None else self.text == name.casefold()


@dataclass(frozen=True, slots=True)
class ApplicationSettings:
    """One application. `name` is that of its section, and the last part of the URL that its proxy asks.

    `required` are the groups of which a member may use it, empty for all users. `sent` are the groups that it
    learns of. `percent`: values are percent-encoded, not UTF-8. `basic`: HTTP Basic is accepted.
    """

    name: str
    required: tuple[GroupName, ...] = ()
    sent: tuple[GroupName, ...] = ()
    user_attribute: str = KNOWN_INI["quintet_user_attribute"].default
    percent: bool = False
    basic: bool = False


def read_applications(values: IniValues, findings: Diagnostics) -> tuple[ApplicationSettings, ...]:
    """All applications, in the order of the file. One whose name can't be read is left out."""
    found = []
    for name, place in values.applications().items():
        if not _NAME.fullmatch(name):
            message = (
                f"[Application-{name[:80]}] is not a valid name: letters, digits and hyphens are allowed"
            )
            findings.add(Finding.Q61, place, None, message, "rename the section")
            continue
        read = values.application_reader(name, findings)
        usual = KNOWN_INI["quintet_user_attribute"].default
        found.append(
            ApplicationSettings(
                name,
                required=_groups(read, "QUINTET_REQUIRED_GROUPS", findings),
                sent=_groups(read, "QUINTET_SENT_GROUPS", findings),
                user_attribute=read.attribute("QUINTET_USER_ATTRIBUTE") or usual,
                percent=read.choice("QUINTET_HEADER_ENCODING", _ENCODINGS),
                basic=read.flag("QUINTET_BASIC_SIGN_IN"),
            )
        )
    return tuple(found)


def group_name(text: str) -> GroupName:
    """The group that a text names. Raises DNSyntaxError for a broken DN."""
    text = text.strip()
    return GroupName(text.casefold(), DN.parse(text) if "=" in text else None)


def _groups(read: SettingsReader, name: str, findings: Diagnostics) -> tuple[GroupName, ...]:
    value = read.value(name)
    if value is None:
        return ()
    try:
        return tuple(group_name(each) for each in _SEPARATOR.split(value.text) if each.strip())
    except DNSyntaxError:
        invalid(value, "names or DNs of groups, separated by semicolons", findings)
        return ()
