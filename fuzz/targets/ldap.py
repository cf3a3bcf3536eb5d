"""What LDAP servers send, and the texts of LDAP: filters, DNs, LDIF and URLs."""

from collections.abc import Iterator, Sequence
from typing import Final

from fuzz.target import Target, halves, nothing_more, text_of
from quintet.ldap import _fast_codec, ber, controls, filters, ldif
from quintet.ldap.ber import BerError
from quintet.ldap.dn import DN, escape_dn_value
from quintet.ldap.errors import (
    DNSyntaxError,
    FilterSyntaxError,
    LdifError,
    RemoteProtocolError,
    UrlSyntaxError,
)
from quintet.ldap.filters import Filter, Template
from quintet.ldap.messages import (
    START_TLS,
    AddRequest,
    AddResponse,
    BindRequest,
    BindResponse,
    CompareRequest,
    CompareResponse,
    Control,
    DeleteRequest,
    Entry,
    ExtendedRequest,
    ExtendedResponse,
    IntermediateResponse,
    Message,
    ModifyDNRequest,
    ModifyRequest,
    Operation,
    Result,
    Sasl,
    SearchRequest,
    SearchResultDone,
    SearchResultReference,
    Simple,
    UnbindRequest,
    decode,
    encode,
    encode_entry,
)
from quintet.ldap.modifications import Add, Delete, Increment, Replace
from quintet.ldap.session import Answer, Disconnection, Event, Session, State, Violation
from quintet.ldap.url import LdapUrl

_TREES: Final = (
    "(&(objectClass=person)(|(cn=a*b*c)(!(mail=*@example.com))))",
    "(uid=*)",
    r"(cn>=\c3\a9)",
    "(o:dn:2.5.13.2:=x)",
    "(cn~=a)",
    "(:caseExactMatch:=x)",
    " ( & ( cn =a) \r\n (sn<= b ) ) ",
    "cn;lang-de=x",
)
_ENTRY: Final = Entry("cn=a,o=x", {"cn": [b"a", b"b"], "jpegPhoto": [bytes(200)], "member": []})
_RESULT: Final = Result(32, "o=x", "no such object", ("ldap://h/o=x",))
_NOTICE: Final = ExtendedResponse(Result(52), "1.3.6.1.4.1.1466.20036")

# Messages


def _messages() -> Iterator[bytes]:
    operations: Sequence[Operation] = (
        BindRequest("cn=a", Simple(b"x")),
        BindRequest("", Sasl("SCRAM-SHA-256", b"n,,n=a,r=b")),
        BindResponse(Result(14), b"r=b"),
        UnbindRequest(),
        *(SearchRequest("o=x", 2, filters.parse(tree), ("cn", "+")) for tree in _TREES),
        _ENTRY,
        SearchResultReference(("ldap://h/", "ldap://i/")),
        SearchResultDone(_RESULT),
        ModifyRequest("cn=a", (Add("cn", [b"b"]), Delete("sn"), Replace("o", [b"x"]), Increment("n", 1))),
        AddRequest("cn=a", {"cn": [b"a"]}),
        AddResponse(_RESULT),
        DeleteRequest("cn=a"),
        ModifyDNRequest("cn=a", "cn=b", True, "o=y"),
        CompareRequest("cn=a", "cn", b"a"),
        ExtendedRequest(START_TLS, b"x"),
        _NOTICE,
        IntermediateResponse("1.2.3", b"x"),
    )
    for nth, operation in enumerate(operations):
        yield encode(Message(nth, operation, (Control("1.2.840.113556.1.4.319", True, b"x"),)[: nth % 2]))


def _read_message(data: bytes) -> Message:
    """A message, or an entry alone: this also by the fast codec, with another message behind it."""
    if data[:1] == b"\x64":
        whole = ber.sequence(ber.integer(1), data)
        fast = _fast_codec.read_entry(data + whole, 0, len(data))
        if fast is not None:
            assert decode(whole).op == fast
        return decode(whole)
    return decode(data)


def _check_message(message: Message) -> None:
    assert decode(encode(message)) == message


def _entries() -> Iterator[bytes]:
    yield from (encode_entry(_ENTRY), *_messages())


# Sessions

_OPENINGS: Final = ("searches", "bind", "sasl", "StartTLS", "others", "abandoned")
_ABANDONED: Final = 2


def _session(opening: str) -> Session:
    session = Session()
    match opening:
        case "bind":
            session.bind(b"cn=a", b"x")
        case "sasl":
            session.send(BindRequest("", Sasl("SCRAM-SHA-256", b"x")))
        case "StartTLS":
            session.send(ExtendedRequest(START_TLS))
        case "others":
            session.send(ModifyRequest("cn=a", (Delete("sn"),)))
            session.send(AddRequest("cn=a", {"cn": [b"a"]}))
            session.send(CompareRequest("cn=a", "cn", b"a"))
            session.send(ExtendedRequest("1.2.3"))
        case _:
            for _ in range(3):
                session.send(SearchRequest("o=x", 2, filters.Present("cn")))
            if opening == "abandoned":
                session.abandon(_ABANDONED)
    session.data_to_send()
    return session


def _read_session(data: bytes) -> None:
    """Two bytes say what was asked and how the answers are cut; the rest is what the server sends."""
    if len(data) < 3:
        return
    opening, size, answers = _OPENINGS[data[0] % len(_OPENINGS)], data[1] % 32 + 1, data[2:]
    whole, pieces = _session(opening), _session(opening)
    events = whole.receive(answers)
    found: list[Event] = []
    for at in range(0, len(answers), size):
        found += pieces.receive(answers[at : at + size])
    assert found == events
    assert (pieces.state, pieces.outstanding) == (whole.state, whole.outstanding)
    assert all(isinstance(each, Answer) for each in events[:-1])
    if events and isinstance(events[-1], Violation | Disconnection):
        assert whole.state is State.CLOSED
        assert whole.receive(answers) == []
    _check_answers(events, answers, _ABANDONED if opening == "abandoned" else 0)


def _check_answers(events: list[Event], data: bytes, abandoned: int) -> None:
    """Every answer is what `messages` reads in the same place."""
    at = 0
    for event in events:
        if not isinstance(event, Answer):
            return
        message = None
        while message is None or message.id in (0, abandoned):
            _, _, stop = ber.header(data, at, len(data))
            message = decode(data[at:stop])
            at = stop
        assert (message.id, message.op, message.controls) == (event.id, event.op, event.controls)


def _conversations() -> Iterator[bytes]:
    done = encode(Message(1, SearchResultDone(Result())))
    answers: dict[str, bytes] = {
        "searches": encode(Message(1, _ENTRY)) + encode(Message(2, SearchResultDone(_RESULT))) + done,
        "bind": encode(Message(1, BindResponse(Result()))),
        "sasl": encode(Message(1, BindResponse(Result(14), b"r=x"))),
        "StartTLS": encode(Message(1, ExtendedResponse(Result(), START_TLS))),
        "others": encode(Message(3, CompareResponse(Result(6)))) + encode(Message(0, _NOTICE)),
        "abandoned": encode(Message(_ABANDONED, _ENTRY)) + done,
    }
    for opening, data in answers.items():
        for size in (3, 31):
            yield bytes((_OPENINGS.index(opening), size)) + data


# Controls

_CONTROLS: Final[tuple[type[controls.KnownControl], ...]] = (
    controls.PagedResults,
    controls.ServerSideSort,
    controls.SortResult,
    controls.Assertion,
    controls.PreRead,
    controls.PreReadResult,
    controls.PostReadResult,
    controls.ProxiedAuthorization,
    controls.PasswordPolicyResult,
    controls.PasswordExpired,
    controls.PasswordExpiring,
)


def _read_control(data: bytes) -> controls.KnownControl:
    kind = _CONTROLS[data[0] % len(_CONTROLS)] if data else _CONTROLS[0]
    return kind.decode(Control(kind.OID, False, data[1:]))


def _check_control(control: controls.KnownControl) -> None:
    assert type(control).decode(Control(control.OID, False, control.value)) == control


def _control_values() -> Iterator[bytes]:
    made: tuple[controls.KnownControl, ...] = (
        controls.PagedResults(100, b"cookie"),
        controls.ServerSideSort("cn"),
        controls.SortResult(0, "cn"),
        controls.Assertion("(cn=a)"),
        controls.PreRead(["cn"]),
        controls.PreReadResult(_ENTRY),
        controls.PostReadResult(_ENTRY),
        controls.ProxiedAuthorization("u:a"),
        controls.PasswordPolicyResult(expires_in=60),
        controls.PasswordExpired(),
        controls.PasswordExpiring(60),
    )
    for each in made:
        yield bytes((_CONTROLS.index(type(each)),)) + (each.value or b"")


# Filters


def _check_filter(tree: Filter) -> None:
    assert filters.decode(tree.encode()) == tree
    assert filters.parse(str(tree)) == tree


def _shape(tree: Filter) -> object:
    """All of a filter but its values."""
    match tree:
        case filters.And(inner) | filters.Or(inner):
            return type(tree), tuple(map(_shape, inner))
        case filters.Not(inner):
            return type(tree), _shape(inner)
        case filters.Substrings(attribute, initial, between, final):
            return type(tree), attribute, initial is None, len(between), final is None
        case filters.Extensible(attribute, rule, _, dn_attributes):
            return type(tree), attribute, rule, dn_attributes
        case _:
            return type(tree), getattr(tree, "attribute", None)


def _read_template(data: bytes) -> tuple[Template, Filter]:
    text, name = halves(data)
    template = Template(text_of(text))
    return template, template.filter(text_of(name))


def _check_template(given: tuple[Template, Filter]) -> None:
    template, filled = given
    assert _shape(filled) == _shape(template.filter("x"))
    _check_filter(filled)


# DNs


def _read_names(data: bytes) -> tuple[DN, DN]:
    first, second = halves(data)
    return DN.parse(text_of(first)), DN.parse(text_of(second))


def _check_names(names: tuple[DN, DN]) -> None:
    one, other = names
    for name in names:
        again = DN.parse(str(name))
        assert again == name
        assert str(again) == str(name)
        assert hash(again) == hash(name)
        parent = name.parent
        assert (parent is None) == (len(name) == 0)
        assert parent is None or (name.is_under(parent) and not parent.is_under(name))
        for kind, value in name.rdn:
            if isinstance(value, str):
                assert DN.parse(f"{kind}={escape_dn_value(value)}").rdn == ((kind, value),)
    assert (one == other) == (other == one) == (one.is_under(other) and other.is_under(one))
    joined = one.join(other)
    assert DN.parse(str(joined)) == joined
    assert joined.is_under(other)
    assert joined.relative_to(other) == one


_NAMES: Final = (
    rb"cn=Lee\, Ann+uid=a,ou=\c3\a9,o=x" + b"\0o=X",
    b'CN="a b" ; 2.5.4.10 = #0c0178\0oid.1.2=#040178',
    "cn=Straße,dc=e\u0301".encode() + b"\0cn=STRASSE",
    rb"cn=\ff\20,o=\#" + b"\0",
    b"\0",
)

# LDIF and URLs

_LDIF: Final = (
    b"version: 1\n# x\ndn: cn=a,o=x\ncn: a\ncn:: w6k=\ndescription: long\n er\n\ndn:: Y249Yg==\nsn: b\n",
    (
        b"dn: cn=a\ncontrol: 1.2.3 true: x\nchangetype: modify\nadd: cn\ncn: b\n-\ndelete: sn\n-\n"
        b"replace: o\no: x\n-\nincrement: n\nn: 1\n-\n"
    ),
    b"dn: cn=a\nchangetype: moddn\nnewrdn: cn=b\ndeleteoldrdn: 1\nnewsuperior: o=y\n",
    b"dn: cn=a\nchangetype: add\ncn: a\n\ndn: cn=b\r\nchangetype: delete\r\n",
    b"dn: cn=a\njpegPhoto:< file:///etc/passwd\n",
)
_URLS: Final = (
    b"ldap://ldap.example.com:389/dc=example,dc=com?cn,mail?sub?(uid=a)?!bindname=cn=x,e=%2c",
    b"ldaps://[::1]/",
    b"ldapi://%2fvar%2frun%2fldapi/??one",
    b"ldap:///o=%c3%a9??base?(cn=%2a)",
)


def _check_records(records: list[ldif.Record]) -> None:
    assert list(ldif.read(b"".join(ldif.write(records)))) == records


def _check_url(url: LdapUrl) -> None:
    assert LdapUrl.parse(str(url)) == url
    try:
        address = url.address
    except UrlSyntaxError:
        return
    assert address.path or address.host


TARGETS: Final = (
    Target(
        "ber", "LDAP messages, also by the fast codec", _read_message, (BerError,), _check_message, _entries
    ),
    Target(
        "ldap-session",
        "answers of an LDAP server, in pieces",
        _read_session,
        (),
        nothing_more,
        _conversations,
    ),
    Target(
        "controls",
        "values of LDAP controls",
        _read_control,
        (RemoteProtocolError,),
        _check_control,
        _control_values,
    ),
    Target(
        "filters",
        "filters as text",
        lambda data: filters.parse(text_of(data)),
        (FilterSyntaxError,),
        _check_filter,
        lambda: map(str.encode, _TREES),
    ),
    Target(
        "filters-ber",
        "filters in BER",
        filters.decode,
        (BerError,),
        _check_filter,
        lambda: (filters.parse(each).encode() for each in _TREES),
    ),
    Target(
        "filter-templates",
        "names in filter templates",
        _read_template,
        (FilterSyntaxError,),
        _check_template,
        lambda: (b"(&(cn=%s*)(|(mail=*%s)(uid=%s)))\0Ann*", b"cn=a%sb*\0(x)\\", b"(o:dn:=%s)\0\xff"),
    ),
    Target(
        "dn", "distinguished names, in pairs", _read_names, (DNSyntaxError,), _check_names, lambda: _NAMES
    ),
    Target("ldif", "LDIF", lambda data: list(ldif.read(data)), (LdifError,), _check_records, lambda: _LDIF),
    Target(
        "ldap-url",
        "LDAP URLs",
        lambda data: LdapUrl.parse(text_of(data)),
        (UrlSyntaxError,),
        _check_url,
        lambda: _URLS,
    ),
)
