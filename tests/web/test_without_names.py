"""The report without names: whatever hosts, DNs, names and values there are, none of them is in it."""

import string
from dataclasses import replace
from typing import TypeVar

from hypothesis import given
from hypothesis import strategies as st

from quintet.admin.explain import SignInExplanation
from quintet.diagnostics import CODES, Diagnostic, Place, Severity
from quintet.directory import (
    AccountState,
    AuthenticationError,
    Bound,
    Certificate,
    DirectoryUnavailableError,
    Group,
    Protection,
    Searched,
    Service,
    UnreachableReason,
)
from quintet.ldap import And, Equality, Extensible, Not, Or, Present, ResultError, Scope, Substrings, parse
from quintet.web.activity import Line, Rate
from quintet.web.trial import ApplicationVerdict, GroupVerdict, ShownValue, Trial
from quintet.web.without_names import Placeholders, report

T = TypeVar("T")

MARK = "qzx"
"""Is in every text that must not be shown, and in no text of ours."""

_ODD = string.printable + "äß日=,()*\\\0\u202e"
secret = st.text(_ODD, max_size=8).map(lambda text: f"{text[:4]}{MARK}{text[4:]}")
hosts = secret.filter(lambda text: "," not in text)


def several(of: st.SearchStrategy[T]) -> st.SearchStrategy[tuple[T, ...]]:
    return st.lists(of, max_size=2).map(tuple)


certificates = st.builds(Certificate, secret, secret, st.just("2030-01-01T00:00:00+00:00"))
lines = st.builds(
    Line,
    service=st.sampled_from(Service),
    server=st.lists(secret, min_size=1, max_size=2).map(",".join),
    encrypted=st.booleans(),
    connected=st.integers(0, 3),
    addresses=several(st.one_of(secret, secret.map(lambda host: f"{host}:636"))),
    tls_versions=st.just(("TLSv1.3",)),
    ciphers=st.just(("TLS_AES_256_GCM_SHA384",)),
    certificates=several(certificates),
    bound_as=several(secret),
    in_flight=st.just(0),
    errors=several(secret),
    causes=st.just(("REFUSED",)),
    notes=several(secret),
    rate=st.builds(Rate, st.floats(0, 9), st.none() | st.floats(0, 9), st.integers(0, 3), st.integers(0, 3)),
)
problems = st.builds(
    Diagnostic,
    code=st.sampled_from(list(CODES.values())),
    severity=st.sampled_from(Severity),
    place=st.none() | st.builds(Place, st.just("sametime.ini") | secret, st.none() | st.integers(1, 9)),
    key=st.none() | secret,
    message=secret,
    fix=secret,
)
values = secret.map(lambda text: text.encode())
leaves = (
    st.builds(Equality, st.just("uid"), values)
    | st.builds(Present, st.just("cn"))
    | st.builds(Substrings, st.just("sn"), values, st.just(()), st.none() | values)
    | st.builds(Extensible, st.just("ou"), st.none(), values)
)
filters = st.recursive(
    leaves,
    lambda inner: (
        st.builds(And, st.lists(inner, min_size=1, max_size=3).map(tuple))
        | st.builds(Or, st.lists(inner, min_size=1, max_size=3).map(tuple))
        | st.builds(Not, inner)
    ),
    max_leaves=5,
).map(str)
refused = secret.map(lambda text: ResultError(text, operation="bind"))
steps = st.builds(
    Searched,
    st.sampled_from(Service),
    secret,
    secret,
    st.sampled_from(Scope),
    filters,
    several(secret),
    st.none() | refused,
    st.none() | st.just(Service.AUTHENTICATE),
) | st.builds(
    Bound,
    st.just(Service.AUTHENTICATE),
    secret,
    secret,
    st.just(49),
    secret,
    st.sampled_from(AccountState),
)
failures = st.builds(AuthenticationError, secret, reason=secret) | secret.map(
    lambda text: DirectoryUnavailableError.because(UnreachableReason.REFUSED, text, server=text, address=text)
)
trials = st.builds(
    Trial,
    secret,
    st.builds(
        SignInExplanation,
        st.booleans(),
        st.none(),
        st.none() | failures,
        st.lists(steps, max_size=4).map(tuple),
    ),
    st.none(),
    several(
        st.builds(
            ShownValue,
            secret,
            secret,
            st.just("mail"),
            st.sampled_from(Service),
            st.none(),
            secret,
            secret,
        )
    ),
    several(
        st.builds(
            GroupVerdict,
            st.builds(Group, secret, secret, secret, secret),
            st.none() | st.integers(1, 4),
            st.none() | st.booleans(),
            secret,
            several(secret),
        )
    ),
    several(
        st.builds(
            ApplicationVerdict,
            secret,
            st.none() | st.just(200),
            secret,
            several(st.tuples(st.just("Remote-User"), secret)),
        )
    ),
)


@given(st.lists(lines, max_size=3), st.lists(problems, max_size=3), st.none() | trials)
def test_no_host_dn_name_or_value_is_in_the_report(
    found: list[Line], diagnostics: list[Diagnostic], trial: Trial | None
) -> None:
    text = report(Protection.PASSWORDS, found, diagnostics, trial)
    assert MARK not in text
    assert text.isascii()
    assert all(each.service.value in text for each in found)
    assert all(each.code.name in text for each in diagnostics)


@given(filters)
def test_a_filter_keeps_its_structure(text: str) -> None:
    shown = Placeholders().filter(text)
    assert [each for each in shown if each in "()"] == [each for each in text if each in "()"]
    assert isinstance(parse(shown), type(parse(text)) | Present | Equality)


def test_the_same_text_has_the_same_placeholder() -> None:
    known = Placeholders()
    assert known.server("a,b") == "host-1,host-2"
    assert known.address("b:636") == "host-2:636"
    assert known.address("[::1]:389") == "host-3:389"
    assert known.of("dn", "a") == known.of("dn", "a") == "dn-1"
    assert known.filter("(&(uid=ada)(cn=ada)(mail=*)(sn=b*))") == (
        "(&(uid=value-1)(cn=value-1)(mail=*)(sn=value-2))"
    )


@given(lines)
def test_errors_are_told_by_their_code(line: Line) -> None:
    assert "REFUSED" in report(Protection.ALL, [replace(line, connected=0)], [])
