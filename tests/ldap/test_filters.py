"""Filters in text, in BER, and with holes for names (RFC 4515, RFC 4511 4.5.1.7)."""

import contextlib

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from quintet.ldap import ber, filters
from quintet.ldap.errors import FilterSyntaxError
from quintet.ldap.filters import (
    And,
    Approximate,
    Equality,
    Extensible,
    Filter,
    GreaterOrEqual,
    LessOrEqual,
    Not,
    Or,
    Present,
    Substrings,
    Template,
    decode,
    encoded,
    escape_filter_value,
    parse,
)

ATTRIBUTES = st.sampled_from(["cn", "2.5.4.3", "userCertificate;binary", "x-y_z", "cn;lang-de;x-1"])
PIECES = st.binary(min_size=1, max_size=8)
RULES = st.sampled_from(["caseExactMatch", "2.5.13.2"])


def _substrings(attribute: str, initial: bytes | None, inner: list[bytes], final: bytes | None) -> Substrings:
    return Substrings(attribute, initial, tuple(inner) if initial or inner or final else (b"x",), final)


LEAVES: st.SearchStrategy[Filter] = st.one_of(
    *(
        st.builds(kind, ATTRIBUTES, st.binary(max_size=8))
        for kind in (Equality, GreaterOrEqual, LessOrEqual, Approximate)
    ),
    st.builds(Present, ATTRIBUTES),
    st.builds(_substrings, ATTRIBUTES, st.none() | PIECES, st.lists(PIECES, max_size=3), st.none() | PIECES),
    st.builds(Extensible, ATTRIBUTES, st.none() | RULES, st.binary(max_size=8), st.booleans()),
    st.builds(Extensible, st.none(), RULES, st.binary(max_size=8), st.booleans()),
)
FILTERS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.builds(And, st.lists(inner, max_size=3).map(tuple)),
        st.builds(Or, st.lists(inner, max_size=3).map(tuple)),
        st.builds(Not, inner),
    ),
    max_leaves=8,
)


@given(FILTERS)
def test_a_filter_survives_text_and_ber(tree: Filter) -> None:
    assert parse(str(tree)) == tree
    assert decode(tree.encode()) == tree


@given(st.text(max_size=40) | st.text("()&|!=*\\~<>: cn0a%s", max_size=40))
def test_any_text_is_a_filter_or_refused(text: str) -> None:
    try:
        tree = parse(text)
    except FilterSyntaxError:
        return
    assert parse(str(tree)) == tree


@given(st.binary(max_size=60))
def test_any_bytes_are_a_filter_or_refused(data: bytes) -> None:
    try:
        tree = decode(data)
    except ber.BerError:
        return
    assert decode(tree.encode()) == tree


@given(FILTERS, st.integers(0, 200), st.integers(0, 255))
def test_a_damaged_filter_is_refused_or_another_filter(tree: Filter, at: int, byte: int) -> None:
    data = bytearray(tree.encode())
    data[at % len(data)] = byte
    with contextlib.suppress(ber.BerError):
        assert decode(bytes(data)) is not None


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("(cn=Babs Jensen)", Equality("cn", b"Babs Jensen")),
        ("(!(cn=Tim Howes))", Not(Equality("cn", b"Tim Howes"))),
        (
            "(&(objectClass=Person)(|(sn=Jensen)(cn=Babs J*)))",
            And(
                (
                    Equality("objectClass", b"Person"),
                    Or((Equality("sn", b"Jensen"), Substrings("cn", b"Babs J"))),
                )
            ),
        ),
        ("(o=univ*of*mich*)", Substrings("o", b"univ", (b"of", b"mich"))),
        ("(cn=*a*)", Substrings("cn", None, (b"a",))),
        ("(cn=*a)", Substrings("cn", None, (), b"a")),
        ("(cn=a**b)", Substrings("cn", b"a", (), b"b")),
        ("(cn=*)", Present("cn")),
        ("(cn=**)", Present("cn")),
        ("(seeAlso=)", Equality("seeAlso", b"")),
        ("(cn:caseExactMatch:=Fred)", Extensible("cn", "caseExactMatch", b"Fred")),
        ("(cn:=Betty)", Extensible("cn", None, b"Betty")),
        ("(sn:dn:2.4.6.8.10:=Barney)", Extensible("sn", "2.4.6.8.10", b"Barney", True)),
        ("(o:dn:=Ace)", Extensible("o", None, b"Ace", True)),
        ("(:1.2.3:=Wilma)", Extensible(None, "1.2.3", b"Wilma")),
        ("(:DN:2.4.6.8.10:=Dino)", Extensible(None, "2.4.6.8.10", b"Dino", True)),
        (r"(o=Parens R Us \28for all\29)", Equality("o", b"Parens R Us (for all)")),
        (r"(cn=*\2A*)", Substrings("cn", None, (b"*",))),
        (r"(bin=\00\00\00\04)", Equality("bin", b"\0\0\0\4")),
        (r"(sn=Lu\c4\8di\c4\87)", Equality("sn", "Lučić".encode())),
        ("(cn>=a)", GreaterOrEqual("cn", b"a")),
        ("(cn<=a)", LessOrEqual("cn", b"a")),
        ("(cn~=a)", Approximate("cn", b"a")),
        ("(&)", And(())),
        ("(|)", Or(())),
        ("(member=cn=a,o=x)", Equality("member", b"cn=a,o=x")),
    ],
)
def test_the_forms_of_rfc_4515(text: str, tree: Filter) -> None:
    assert parse(text) == tree


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        (" ( & ( cn =a) \r\n (sn= b ) ) ", "(&(cn=a)(sn= b ))"),
        ("( ! (cn=a) )", "(!(cn=a))"),
        ("cn=a", "(cn=a)"),
        ("&(cn=a)(sn=b)", "(&(cn=a)(sn=b))"),
        (r"(cn=\41\2a\ff)", r"(cn=A\2a\ff)"),
    ],
)
def test_blanks_and_missing_outer_parentheses_are_tolerated(text: str, canonical: str) -> None:
    assert str(parse(text)) == canonical


@pytest.mark.parametrize(
    ("text", "position"),
    [
        ("", 0),
        ("()", 1),
        ("(cn=a", 5),
        ("(cn=a))", 6),
        ("(cn=a)(sn=b)", 6),
        ("(cn)", 1),
        ("(=a)", 1),
        ("(!cn=a)", 2),
        ("(!(cn=a)(sn=b))", 8),
        ("(&(cn=a)sn=b)", 8),
        ("(cn=a(b)", 5),
        ("(cn=a\0)", 5),
        (r"(cn=\4)", 4),
        (r"(cn=\zz)", 4),
        ("(:=a)", 1),
        ("(:dn:=a)", 1),
        ("(o:dn:dn:=a)", 1),
        ("(:dn:DN:=a)", 1),
        ("(c n=a)", 1),
        ("(%s=a)", 1),
        ("(cn=\ud800)", 4),
    ],
)
def test_what_is_no_filter_is_refused_with_its_place(text: str, position: int) -> None:
    with pytest.raises(FilterSyntaxError) as caught:
        parse(text)
    assert caught.value.position == position


@pytest.mark.parametrize("opening", ["(!", "(&", "(|", "(&(a=b)", "(", "!(", "&("])
def test_deep_nesting_is_refused(opening: str) -> None:
    with pytest.raises(FilterSyntaxError):
        parse(opening * 50_000)


def test_nesting_to_the_limit_is_read_from_text_and_from_ber() -> None:
    tree = parse("(!" * 99 + "(a=b)" + ")" * 99)
    assert decode(tree.encode()) == tree
    with pytest.raises(FilterSyntaxError, match="nests deeper"):
        parse("(!" * 100 + "(a=b)" + ")" * 100)
    with pytest.raises(ber.BerError):
        decode(Not(tree).encode())


PERSON = "(&(objectclass=organizationalPerson)(|(cn=%s)(givenname=%s)(sn=%s)(mail=%s)))"
QUICK = "(&(objectclass=organizationalPerson)(|(cn=%s*)(givenname=%s*)(sn=%s*)(mail=%s*)))"


def test_c47_every_hole_takes_the_name() -> None:
    found = Template(PERSON).filter("Ann")
    assert str(found) == PERSON.replace("%s", "Ann")
    assert Template(PERSON).holes == 4


def test_c49_a_prefix_template_makes_substrings() -> None:
    assert Template("(cn=%s*)").filter("An") == Substrings("cn", b"An")
    assert Template("(cn=*%s*)").filter("An") == Substrings("cn", None, (b"An",))
    assert Template("(cn=*%s)").filter("An") == Substrings("cn", None, (), b"An")
    assert Template("(cn=x%sy)").filter("An") == Equality("cn", b"xAny")
    assert Template("(cn=%s%s*b%s)").filter("a") == Substrings("cn", b"aa", (), b"ba")
    assert Template("(cn:dn:=%s)").filter("a") == Extensible("cn", None, b"a", True)


NASTY = [
    "*",
    "a)(uid=*",
    "a*b",
    "*)(|(cn=*",
    "\\2a",
    "\\",
    "\0a",
    "%s",
    "é",
    "x" * 130,
    "x" * 70_000,
    b"\xfe\xff\x00",
    "cn=a\\,b,o=x",
]


@pytest.mark.parametrize("name", NASTY)
def test_c47_no_name_changes_the_shape_of_a_filter(name: str | bytes) -> None:
    raw = name.encode() if isinstance(name, str) else name
    expected = And(
        (
            Equality("objectclass", b"organizationalPerson"),
            Or(tuple(Equality(each, raw) for each in ("cn", "givenname", "sn", "mail"))),
        )
    )
    assert Template(PERSON).filter(name) == expected


VISIBLE = st.binary(min_size=1, max_size=300).map(lambda data: b"a" + data)


@given(VISIBLE)
def test_c47_a_name_of_any_bytes_is_only_a_value(name: bytes) -> None:
    template = Template(r"(&(a=\fe\ff)(|(b=x%sy%s)(c=*%s)(!(d>=%s))(e:dn:2.5.13.2:=%s)))")
    assert template.filter(name) == And(
        (
            Equality("a", b"\xfe\xff"),
            Or(
                (
                    Equality("b", b"x" + name + b"y" + name),
                    Substrings("c", None, (), name),
                    Not(GreaterOrEqual("d", name)),
                    Extensible("e", "2.5.13.2", name, True),
                )
            ),
        )
    )


@given(VISIBLE)
def test_one_star_at_the_end_is_dropped_where_the_template_has_one(name: bytes) -> None:
    dropped = name.removesuffix(b"*")
    assert Template("(|(cn=%s*)(sn=a*%s*)(mail=%s)(uid=*%s)(o=%sx*))").filter(name) == Or(
        (
            Substrings("cn", dropped),
            Substrings("sn", b"a", (dropped,)),
            Equality("mail", name),
            Substrings("uid", None, (), name),
            Substrings("o", name + b"x"),
        )
    )


@given(st.text(max_size=30))
def test_a_name_as_text_is_sent_as_utf_8_or_refused(name: str) -> None:
    try:
        found = Template("(cn=%s)").filter(name)
    except FilterSyntaxError:
        return
    assert found == Equality("cn", name.encode())


@pytest.mark.parametrize("name", ["", " ", "\t", "\u00a0", "\u200b", "\u00ad\0", b"", b"  "])
@pytest.mark.parametrize("template", ["(cn=%s)", "(cn=%s*)", "(cn=a)"])
def test_an_empty_name_is_never_searched_for(template: str, name: str | bytes) -> None:
    with pytest.raises(ValueError, match="empty name"):
        Template(template).encode(name)


@pytest.mark.parametrize("name", ["*", " *", "\u00a0*"])
def test_a_lone_star_is_an_empty_name_where_the_template_has_a_star(name: str) -> None:
    with pytest.raises(FilterSyntaxError):
        Template("(|(mail=%s)(cn=%s*))").encode(name)


@pytest.mark.parametrize("text", ["(cn=a)", "(cn=100%)", "(o=%S)", r"(cn=\25s)"])
def test_a_template_without_holes_is_constant(text: str) -> None:
    template = Template(text)
    assert template.holes == 0
    assert template.filter("Ann") == template.filter("Bob") == parse(text)


def test_a_percent_before_a_hole_is_literal() -> None:
    assert Template("(cn=%%s)").filter("a") == Equality("cn", b"%a")


def test_templates_are_equal_by_text() -> None:
    assert Template("(cn=%s)") == Template("(cn=%s)")
    assert hash(Template("(cn=%s)")) == hash(Template("(cn=%s)"))
    assert Template("(cn=%s)") != Template("(cn=%s*)")
    assert Template(QUICK).text == str(Template(QUICK)) == QUICK


@pytest.mark.parametrize(
    "text", ["(%s=a)", "(cn=%s", "StLdapCustomized.peopleResolveFilter()", r"(cn=\%s)", "%s"]
)
def test_a_template_that_is_no_filter_is_refused(text: str) -> None:
    with pytest.raises(FilterSyntaxError):
        Template(text)


@given(FILTERS, VISIBLE)
def test_a_template_encodes_as_its_filter_would(tree: Filter, name: bytes) -> None:
    text = str(tree)
    assume("%s" not in text and not name.endswith(b"*"))
    holed = f"(&{text}(cn=%s)(sn=*%s*))"
    expected = And((tree, Equality("cn", name), Substrings("sn", None, (name,))))
    assert Template(holed).encode(name) == expected.encode()


def test_a_matching_rule_named_dn_is_refused_since_its_text_would_mean_another_filter() -> None:
    parts = ber.octet_string(b"dn", 0x81), ber.octet_string(b"cn", 0x82), ber.octet_string(b"x", 0x83)
    with pytest.raises(ber.BerError):
        decode(ber.tlv(0xA9, *parts))
    with pytest.raises(FilterSyntaxError):
        Extensible("cn", "dn", b"x").encode()


@pytest.mark.parametrize(
    "name", ["\u034f", "\ufe0f\ufe0e", "\u1806", "\ufffc", "\u00ad ", "\U000e0041", "\u200b*"]
)
def test_a_name_that_a_server_may_take_for_nothing_is_never_searched_for(name: str) -> None:
    with pytest.raises(FilterSyntaxError, match="empty"):
        Template("(cn=%s*)").encode(name)


@given(st.text(max_size=20) | st.binary(max_size=20))
def test_an_escaped_value_means_itself(value: str | bytes) -> None:
    raw = value if isinstance(value, bytes) else value.encode()
    assert parse(f"(cn={escape_filter_value(value)})") == Equality("cn", raw)
    assert parse(f"(cn=*{escape_filter_value(value)}x*)") == Substrings("cn", None, (raw + b"x",))


def test_filters_are_put_together_by_operators() -> None:
    one, other = parse("(cn=a)"), parse("(sn=b)")
    assert one & other == And((one, other))
    assert one | ~other == Or((one, Not(other)))
    with pytest.raises(TypeError):
        one & "(sn=b)"  # type: ignore[operator]  # that is the point


@pytest.mark.parametrize(
    ("tree", "error"),
    [
        (Equality("c n", b"x"), FilterSyntaxError),
        (Equality("cn)(objectClass=*", b"x"), FilterSyntaxError),
        (Equality("", b"x"), FilterSyntaxError),
        (Present("é"), FilterSyntaxError),
        (Substrings("cn"), FilterSyntaxError),
        (Extensible(None, None, b"x"), FilterSyntaxError),
        (Not(Equality("cn;", b"x")), FilterSyntaxError),
        (Equality("cn", "x"), TypeError),  # type: ignore[arg-type]  # that is the point
        (Equality(b"cn", b"x"), TypeError),  # type: ignore[arg-type]
        (Substrings("cn", "x"), TypeError),  # type: ignore[arg-type]
    ],
)
def test_a_tree_that_is_no_filter_is_refused_when_it_is_encoded(tree: Filter, error: type[Exception]) -> None:
    with pytest.raises(error):
        tree.encode()


@given(FILTERS)
def test_every_form_of_a_filter_is_the_same_on_the_wire(tree: Filter) -> None:
    ber_form = bytes(tree.encode())
    assert encoded(tree) == encoded(str(tree)) == encoded(ber_form) == encoded(encoded(ber_form)) == ber_form


@given(st.binary(max_size=40))
def test_bytes_are_a_filter_or_refused(data: bytes) -> None:
    try:
        found = encoded(data)
    except FilterSyntaxError:
        return
    assert decode(found).encode()


def test_a_long_filter_is_not_kept() -> None:
    before = filters._encoded_text.cache_info().currsize
    assert encoded(f"(cn={'x' * 5000})") == Equality("cn", b"x" * 5000).encode()
    assert filters._encoded_text.cache_info().currsize == before


@pytest.mark.parametrize("rule", ["caseExactMatch;x", "a b", "1", ""])
def test_a_matching_rule_has_no_options(rule: str) -> None:
    with pytest.raises(FilterSyntaxError):
        Extensible("cn", rule, b"x").encode()
    part = (
        ber.octet_string(rule.encode(), 0x81) + ber.octet_string(b"cn", 0x82) + ber.octet_string(b"x", 0x83)
    )
    with pytest.raises(ber.BerError):
        decode(ber.tlv(0xA9, part))
