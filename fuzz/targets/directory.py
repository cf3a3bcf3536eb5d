"""What values of the directory mean: which DNs are one, what a bind says of an account, what a card shows."""

from typing import Final

from fuzz.target import Target, halves, nothing_more, text_of
from quintet.admin.disclosure import Canaries, examine_recording
from quintet.admin.proxy import Chunk, Direction, Recording
from quintet.cards.fields import PHOTO_LIMIT, CardFields, Field
from quintet.config import Detail
from quintet.directory import Service, entries
from quintet.directory.account_state import AccountState, state_of
from quintet.ldap import (
    DN,
    Control,
    DNSyntaxError,
    PasswordExpired,
    PasswordExpiring,
    PasswordPolicyReason,
    PasswordPolicyResult,
)
from quintet.ldap.messages import BindRequest, Message, Simple, encode

# Identities of DNs


def _read_identities(data: bytes) -> None:
    """Two texts: their identities say the same as their meaning as DNs."""
    one, other = map(text_of, halves(data))
    keys = entries.identity(one), entries.identity(other)
    try:
        names = DN.parse(one), DN.parse(other)
    except DNSyntaxError:
        assert keys[0] != keys[1] or one == other
        return
    assert (keys[0] == keys[1]) == (names[0] == names[1])
    assert entries.is_below(keys[0], [keys[1]]) == names[0].is_under(names[1])
    assert keys == (entries.canonical(names[0]), entries.canonical(names[1]))


_NAMES: Final = (
    b"cn=Ann Lee,ou=people,o=x\0O=X",
    rb"cn=a\,o=x" + b"\0o=x",
    b"CN=a+sn=b,o=x\0SN=B+cn=A, O=X",
    "cn=#0c0161,mail=é@x,2.5.4.11=#".encode() + b"\0cn=\xff",
    b"\0\0",
)

# Account states

_ANSWERS: Final = (PasswordPolicyResult, PasswordExpired, PasswordExpiring)


def _read_state(data: bytes) -> None:
    """Bytes for the result code and the control, its value, and the server's text."""
    if len(data) < 2:
        return
    value, diagnostic = halves(data[2:])
    kind = _ANSWERS[data[1] % len(_ANSWERS)]
    text = text_of(diagnostic)
    state = state_of(data[0] % 90, text, (Control(kind.OID, False, value), Control("1.2.3")))
    assert isinstance(state, AccountState)
    assert data[0] % 90 == 0 or not state.signs_in


_POLICY: Final = PasswordPolicyResult(grace_logins=3, reason=PasswordPolicyReason.PASSWORD_EXPIRED)
_STATES: Final = (
    b"\x31\x01\x000\x0080090308: LdapErr: DSID-0C09044E, comment: AcceptSecurityContext, data 532, v2580",
    b"\x00\x00" + (_POLICY.value or b""),
    b"\x00\x00" + (PasswordPolicyResult(expires_in=60).value or b""),
    b"\x00\x02" + b"86400",
    b"\x35\x00\0" + b"Account inactivated. Contact system administrator.",
)

# Fields of cards

_FIELDS: Final = CardFields(
    (
        Detail("Name", ("cn", "cn;lang-ja"), "text/plain", " "),
        Detail("Address", ("postalAddress", "l"), "text/plain", ", "),
        Detail("Photo", ("jpegPhoto",), "image/jpeg", ""),
    )
)


def _read_fields(data: bytes) -> dict[str, Field]:
    """Values of one attribute after the other, divided by NULs."""
    names = ("cn;lang-ja", "postaladdress", "JPEGPhoto", "2.5.4.7", "commonName")
    values = data.split(b"\0", len(names) - 1)
    attributes = {name: [value] for name, value in zip(names, values, strict=False)}
    assert isinstance(_FIELDS.link(attributes), str)
    return _FIELDS.of(attributes)


def _check_fields(fields: dict[str, Field]) -> None:
    for name, field in fields.items():
        assert field.value
        if name == "Photo":
            assert isinstance(field.value, bytes)
            assert len(field.value) < PHOTO_LIMIT
        else:
            assert isinstance(field.value, str)
            field.value.encode()


# Recorded traffic

_CANARIES: Final = Canaries("canary-name-7f3a", "canary-password-91bc")


def _read_recording(data: bytes) -> None:
    """A byte for where the recording is cut, then what was recorded in one direction and in the other."""
    cut, data = (data[0], data[1:]) if data else (0, b"")
    chunks = [Chunk(0.0, Direction.TO_SERVER, data[:cut]), Chunk(0.1, Direction.TO_CLIENT, data[cut:])]
    recording = Recording(Service.BROWSE, ("127.0.0.1", 1), ("ldap.example.com", 389), chunks)
    found = examine_recording(recording, _CANARIES)
    assert _CANARIES.password not in str(found)


_RECORDINGS: Final = (
    b"\x30" + encode(Message(1, BindRequest("cn=a", Simple(_CANARIES.password.encode())))),
    b"\x05\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00canary-name-7f3a canary-password-91bc",
)

TARGETS: Final = (
    Target("dn-identity", "which DNs are one", _read_identities, (), nothing_more, lambda: _NAMES),
    Target("account-state", "what a bind says of an account", _read_state, (), nothing_more, lambda: _STATES),
    Target(
        "card-fields",
        "values of an entry on a card",
        _read_fields,
        (),
        _check_fields,
        lambda: (b"a\0b$c\\24\0\xff\xd8\xffx\0d\0e", b"\xff\0 $ \0GIF89a\0\xc3\0"),
    ),
    Target("eavesdrop", "recorded traffic", _read_recording, (), nothing_more, lambda: _RECORDINGS),
)
