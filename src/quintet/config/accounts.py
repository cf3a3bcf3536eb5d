"""The accounts that connections bind with: in clear, or as `UserEncodedAuth` (reference 3.2, 4.3)."""

import base64
import binascii

from quintet.config.parsers import TYPOGRAPHIC, Value, check_quotes
from quintet.config.settings import Account
from quintet.diagnostics import Diagnostics, shown
from quintet.ldap.dn import DN
from quintet.ldap.errors import DNSyntaxError
from quintet.secret import Secret

_REDO = "encode it anew: printf '%s' 'USER:PASSWORD' | base64 -w0"


def read_account(
    user: Value | None, password: Value | None, *, names: tuple[str, str], findings: Diagnostics
) -> Account | None:
    """The account that the settings called `names` give. None where the bind is anonymous."""
    who = user.text.strip() if user is not None else ""
    secret = password.text if password is not None else ""
    if user is None or not who:
        if password is not None and secret:
            findings.warning(
                password.place, password.key, f"there is a password and no {names[0]}; the bind is anonymous"
            )
        return None
    if password is None or not secret:
        findings.error(
            user.place,
            user.key,
            f"there is no {names[1]} for this account; set one, or leave {names[0]} blank to bind"
            " anonymously",
        )
        return None
    _check_name(user, who, findings)
    check_quotes(password, secret, "the password", findings)
    return Account(who, Secret(secret), user.key, user.place)


def read_encoded(value: Value, findings: Diagnostics) -> Account | None:
    """Base64 of `user:password` (reference 4.3, D10). Nothing of it is ever shown."""
    place, key = value.place, value.key
    text = value.text.strip()
    if text != value.text:
        findings.warning(place, key, "has blanks around it, which are taken off")
    if any(c in TYPOGRAPHIC for c in text):
        findings.error(place, key, f"has typographic quotes in it, from copying; {_REDO}")
        return None
    if any(c.isspace() for c in text):
        findings.error(place, key, f"has blanks or line breaks inside; write it on one line, or {_REDO}")
        return None
    try:
        plain = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        findings.error(place, key, f"is not base64 (letters, digits, + / and = at the end); {_REDO}")
        return None
    try:
        who, colon, password = plain.decode().partition(":")
    except UnicodeDecodeError:
        findings.error(place, key, f"decodes to something that is no UTF-8 text; {_REDO}")
        return None
    if not colon or not who.strip() or not password:
        findings.error(place, key, f"must decode to user:password, both not empty; {_REDO}")
        return None
    _check_decoded(value, who, password, findings)
    return Account(who.strip(), Secret(password), key, place)


def _check_decoded(value: Value, who: str, password: str, findings: Diagnostics) -> None:
    if who[0] in TYPOGRAPHIC or password[-1] in TYPOGRAPHIC:
        what = "decodes to text in typographic quotes"
    elif password != password.rstrip("\r\n"):
        what = "the password in it ends with a line feed (echo without -n?)"
    elif password != password.strip() or who != who.strip():
        what = "decodes to text with blanks around the name or the password"
    else:
        return
    findings.warning(value.place, value.key, f"{what}; {_REDO}")


def _check_name(value: Value, who: str, findings: Diagnostics) -> None:
    """Warns of an account that is neither a DN nor a mail form. Directories decide in the end."""
    check_quotes(value, who, "the account", findings)
    if "=" not in who:
        if "@" not in who and "\\" not in who:
            findings.warning(
                value.place, value.key, f"{shown(who)} is neither a distinguished name nor a mail address"
            )
        return
    try:
        DN.parse(who)
    except DNSyntaxError as error:
        findings.warning(value.place, value.key, f"{shown(who)} is no distinguished name: {error.message}")
