"""The accounts that connections bind with: as clear text, or as `UserEncodedAuth` (config 3.2, 4.3)."""

import base64
import binascii

from quintet.config.parsers import TYPOGRAPHIC, Value
from quintet.config.settings import Account
from quintet.diagnostics import Diagnostics, Finding, Pitfall, Severity, shown
from quintet.ldap import DN, DNSyntaxError
from quintet.secret import Secret


def read_account(
    user: Value | None, password: Value | None, *, names: tuple[str, str], findings: Diagnostics
) -> Account | None:
    """The account that the settings called `names` give. None where the bind is anonymous."""
    name_key, password_key = names
    if user is None:
        if password is not None:
            message = f"{password.key} is set without {name_key}; the bind is anonymous"
            fix = f"set {name_key}, or remove {password.key}"
            findings.add(Finding.Q74, password.place, password.key, message, fix)
        return None
    if password is None:
        message = f"{user.key} is set without {password_key}"
        fix = f"set {password_key}, or leave {name_key} blank to bind anonymously"
        findings.add(Finding.Q75, user.place, user.key, message, fix)
        return None
    name = user.text.strip()
    _check_name(user, name, findings)
    return Account(name, Secret(password.text), user.key, user.place)


def read_encoded(value: Value, findings: Diagnostics) -> Account | None:
    """Base64 of `user:password` (4.3, row D10). Nothing of it is ever shown."""
    text = value.text.strip()
    if text != value.text:
        findings.add(
            Pitfall.D10,
            value.place,
            value.key,
            f"{value.key} has blanks around it",
            severity=Severity.WARNING,
        )
    message = None
    name = password = ""
    if any(c in TYPOGRAPHIC for c in text):
        message = "contains typographic quotes, from copying"
    elif any(c.isspace() for c in text):
        message = "contains spaces or line breaks; write it on one line"
    else:
        try:
            name, colon, password = base64.b64decode(text, validate=True).decode().partition(":")
            if not colon or not name.strip() or not password:
                message = "must decode to user:password, both not empty"
        except UnicodeDecodeError:
            message = "decodes to something that is not UTF-8 text"
        except (binascii.Error, ValueError):
            message = "is not base64 (letters, digits, + / and = at the end)"
    if message is not None:
        findings.add(Pitfall.D10, value.place, value.key, f"{value.key} {message}")
        return None
    _check_decoded(value, name, password, findings)
    return Account(name.strip(), Secret(password), value.key, value.place)


def _check_decoded(value: Value, name: str, password: str, findings: Diagnostics) -> None:
    if name[0] in TYPOGRAPHIC or password[-1] in TYPOGRAPHIC:
        what = "decodes to text in typographic quotes"
    elif password != password.rstrip("\r\n"):
        what = "decodes to a password that ends with a line feed (echo without -n?)"
    elif password != password.strip() or name != name.strip():
        what = "decodes to text with blanks around the name or the password"
    else:
        return
    findings.add(Pitfall.D10, value.place, value.key, f"{value.key} {what}", severity=Severity.WARNING)


def _check_name(value: Value, name: str, findings: Diagnostics) -> None:
    """Warns of an account that is neither a DN nor a mail form. Directories decide in the end."""
    why = None
    if "=" not in name:
        if "@" not in name and "\\" not in name:
            why = "is neither a DN nor a mail address"
    else:
        try:
            DN.parse(name)
        except DNSyntaxError as error:
            why = f"is not a valid DN: {error.message}"
    if why is not None:
        findings.add(Finding.Q76, value.place, value.key, f"{value.key} {shown(name)} {why}")
