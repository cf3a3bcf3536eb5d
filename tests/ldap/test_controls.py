"""Every control survives its value in BER; a malformed one is the server's fault and nothing else."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quintet.ldap import (
    DN,
    Assertion,
    Control,
    Entry,
    ManageDsaIT,
    PagedResults,
    PasswordExpired,
    PasswordExpiring,
    PasswordPolicy,
    PasswordPolicyReason,
    PasswordPolicyResult,
    PostRead,
    PostReadResult,
    PreRead,
    PreReadResult,
    ProxiedAuthorization,
    RemoteProtocolError,
    ServerSideSort,
    SortKey,
    SortResult,
    SubtreeDelete,
    parse,
)
from quintet.ldap.controls import KnownControl
from quintet.ldap.messages import Message, UnbindRequest, decode, encode
from support.ldap_messages import attributes, blobs, entries, filters, numbers, texts

KINDS: list[type[KnownControl]] = [
    Assertion,
    ManageDsaIT,
    PagedResults,
    PasswordExpired,
    PasswordExpiring,
    PasswordPolicy,
    PasswordPolicyResult,
    PostRead,
    PostReadResult,
    PreRead,
    PreReadResult,
    ProxiedAuthorization,
    ServerSideSort,
    SortResult,
    SubtreeDelete,
]
names = st.lists(texts, max_size=3)
critical = st.booleans()
keys = st.builds(SortKey, attributes, st.none() | attributes, st.booleans())
reasons = st.none() | st.sampled_from([each for each in PasswordPolicyReason if each >= 0])
known = (
    st.builds(PagedResults, numbers, blobs, critical=critical)
    | st.builds(
        lambda found, critical: ServerSideSort(*found, critical=critical),
        st.lists(keys | attributes, min_size=1, max_size=3),
        critical,
    )
    | st.builds(SortResult, numbers, st.none() | texts)
    | st.builds(Assertion, filters, critical=critical)
    | st.builds(PreRead, names, critical=critical)
    | st.builds(PostRead, names, critical=critical)
    | st.builds(PreReadResult, entries)
    | st.builds(PostReadResult, entries)
    | st.builds(ManageDsaIT, critical=critical)
    | st.builds(SubtreeDelete, critical=critical)
    | st.builds(ProxiedAuthorization, st.just("") | texts.map("dn:".__add__) | texts.map("u:".__add__))
    | st.builds(PasswordPolicy, critical=critical)
    | st.builds(PasswordPolicyResult, st.none() | numbers, st.none(), reasons)
    | st.builds(PasswordPolicyResult, st.none(), numbers, reasons)
    | st.builds(PasswordExpired)
    | st.builds(PasswordExpiring, numbers)
)


@given(known)
def test_a_control_survives_a_message(control: KnownControl) -> None:
    received = decode(encode(Message(1, UnbindRequest(), (Control("1.2"), control)))).controls
    assert type(control).find(received) == control
    assert received[1] == Control(control.oid, control.critical, control.value)


@pytest.mark.parametrize("kind", KINDS)
@given(value=st.none() | st.binary(max_size=60))
def test_a_value_of_any_bytes_is_read_or_is_the_fault_of_the_server(
    kind: type[KnownControl], value: bytes | None
) -> None:
    try:
        found = kind.decode(Control(kind.OID, False, value))
    except RemoteProtocolError:
        return
    assert (found.critical, found.value) == (False, value)
    assert kind.decode(found) == found


@given(known, st.data())
def test_a_damaged_value_is_read_or_is_the_fault_of_the_server(
    control: KnownControl, data: st.DataObject
) -> None:
    value = bytearray(control.value or b"\0")
    if value:
        value[data.draw(st.integers(0, len(value) - 1))] = data.draw(st.integers(0, 255))
    try:
        found = type(control).decode(Control(control.oid, False, bytes(value)))
    except RemoteProtocolError:
        return
    assert found.value == bytes(value)


def test_what_is_not_there_is_none_and_another_kind_a_value_error() -> None:
    assert PagedResults.find(()) is None
    assert PagedResults.find([Control("1.2.3")]) is None
    with pytest.raises(ValueError, match="OID"):
        PagedResults.decode(Control("1.2.3"))


def test_values_as_the_documents_have_them() -> None:
    assert PagedResults(5, b"ab").value == bytes.fromhex("3007 020105 04026162")
    assert ServerSideSort("cn", SortKey("sn", "2.5.13.3", reverse=True)).value == bytes.fromhex(
        "3019 3004 0402636e 3011 0402736e 8008322e352e31332e33 8101ff"
    )
    assert SortResult(16, "cn").value == bytes.fromhex("3007 0a0110 8002636e")
    assert Assertion("(cn=*)").value == bytes.fromhex("8702636e")
    assert PreRead(["cn"]).value == bytes.fromhex("3004 0402636e")
    assert ProxiedAuthorization(DN.parse("cn=a")).value == b"dn:cn=a"
    assert (ManageDsaIT().value, SubtreeDelete().value, PasswordPolicy().value) == (None, None, None)


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("3000", PasswordPolicyResult()),
        ("3005 a003 80013c", PasswordPolicyResult(expires_in=60)),
        ("3005 a003 810103", PasswordPolicyResult(grace_logins=3)),
        ("3003 810101", PasswordPolicyResult(reason=PasswordPolicyReason.ACCOUNT_LOCKED)),
        (
            "3008 a003 810100 810100",
            PasswordPolicyResult(grace_logins=0, reason=PasswordPolicyReason.PASSWORD_EXPIRED),
        ),
        ("3003 810163", PasswordPolicyResult(reason=PasswordPolicyReason.UNKNOWN)),
    ],
)
def test_what_a_password_policy_says(value: str, found: PasswordPolicyResult) -> None:
    read = PasswordPolicyResult.decode(Control(PasswordPolicy.OID, False, bytes.fromhex(value)))
    assert (read.expires_in, read.grace_logins, read.reason) == (
        found.expires_in,
        found.grace_logins,
        found.reason,
    )


def test_expiry_in_netscapes_words() -> None:
    controls = [
        Control("2.16.840.1.113730.3.4.5", False, b"86400"),
        Control("2.16.840.1.113730.3.4.4", False, b"0"),
    ]
    assert PasswordExpiring.find(controls) == PasswordExpiring(86400)
    assert PasswordExpired.find(controls) == PasswordExpired()


@pytest.mark.parametrize(
    ("kind", "arguments", "error"),
    [
        (PagedResults, (-1,), ValueError),
        (PagedResults, (2**31,), ValueError),
        (ServerSideSort, (), ValueError),
        (ServerSideSort, ("a b",), ValueError),
        (Assertion, ("(cn=",), ValueError),
        (Assertion, (5,), TypeError),
        (PreRead, ("cn",), TypeError),
        (PostRead, (b"cn",), TypeError),
        (ProxiedAuthorization, ("cn=a,o=x",), ValueError),
        (PasswordPolicyResult, (1, 1), ValueError),
    ],
)
def test_what_makes_no_control_is_refused(
    kind: type[KnownControl], arguments: tuple[Any, ...], error: type[Exception]
) -> None:
    with pytest.raises(error):
        kind(*arguments)


def test_a_control_is_a_value() -> None:
    assert PagedResults(5) == PagedResults(5) != PagedResults(5, b"x")
    assert len({ManageDsaIT(), ManageDsaIT(), ManageDsaIT(critical=False)}) == 2
    assert Assertion("(cn=a)").filter == parse("(cn=a)")
    assert PreReadResult(Entry("cn=a", {"cn": [b"a"]})).entry.text("cn") == "a"
