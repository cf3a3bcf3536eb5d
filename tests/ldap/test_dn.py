"""Names mean what a directory takes them to mean (RFC 4514)."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quintet.ldap.dn import DN, escape_dn_value
from quintet.ldap.errors import DNSyntaxError

SAME = [
    ("cn=Ann Lee,o=Example", "CN=ann lee,O=EXAMPLE"),
    ("cn=Ann Lee,o=example", " cn = Ann   Lee , o = example "),
    ("cn=Ann Lee,o=example", "cn=Ann Lee;o=example"),
    ("cn=Ann Lee,o=example", "\tcn=Ann Lee,\r\n o=example\n"),
    ("cn=Ann,o=x", "2.5.4.3=Ann,OID.2.5.4.10=x"),
    ("cn=Ann,o=x", "commonName=Ann,organizationName=x"),
    ("uid=a,dc=x", "userid=a,domainComponent=x"),
    (r"cn=Lee\, Ann", r"cn=Lee\2c Ann"),
    (r"cn=Lee\, Ann", r"cn=Lee\2C\20Ann"),
    (r"cn=Lee\, Ann,o=x", 'cn="Lee, Ann",o=x'),
    (r"cn=a\"b", r'cn="a\"b"'),
    ("cn=Ann", "cn=#0c03416e6e"),
    ("cn=Ann", "cn=#1303416E6E"),
    ("cn=Ann", "cn=#0403416E6E"),
    ("cn=é", r"cn=\c3\a9"),
    ("cn=é", "cn=e\u0301"),
    ("cn=Straße", "cn=STRASSE"),
    ("cn=Ann Lee", "cn=Ann\u00a0Lee"),
    ("cn=a+sn=b,o=x", "SN=B + cn=A , o=x"),
    ("cn=x/y#z", r"cn=x\/y\#z"),
    ("cn=a=b", r"cn=a\=b"),
    ("cn=", "CN=#0C00"),
    ("", "  "),
]

DIFFERENT = [
    ("cn=a,o=x", "o=x,cn=a"),
    ("cn=a,o=x", "cn=a"),
    ("cn=a+sn=b", "cn=a,sn=b"),
    (r"cn=a\,b", "cn=a,b=c"),
    ("cn=a b", "cn=ab"),
    (r"cn=a\00", "cn=a"),
    ("cn=#020101", "cn=#020102"),
    (r"cn=\ff", r"cn=\fe"),
]

BAD = [
    ("cn", 0),
    ("cn=a,", 5),
    (",cn=a", 0),
    ("cn=a,,o=x", 5),
    ("=a", 0),
    ("cn=a+", 5),
    ("cn=a\\", 4),
    ('cn="a', 3),
    ('cn="a"b', 6),
    ('cn=a"b', 4),
    ("cn=#zz", 3),
    ("cn=#123", 3),
    ("cn=#", 3),
    ("1.=a", 0),
    ("cn=\ud800", 3),
    ("\0=a", 0),
]

VALUES = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
TYPES = st.sampled_from(["cn", "ou", "2.5.4.99", "x-Y_1"])
RDNS = st.lists(st.tuples(TYPES, VALUES | st.binary(min_size=1, max_size=6).map(lambda data: b"\x02" + data)))


@pytest.mark.parametrize(("one", "other"), SAME)
def test_names_of_one_meaning_are_equal(one: str, other: str) -> None:
    assert DN.parse(one) == DN.parse(other)
    assert hash(DN.parse(one)) == hash(DN.parse(other))


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_names_of_different_meaning_differ(one: str, other: str) -> None:
    assert DN.parse(one) != DN.parse(other)


@pytest.mark.parametrize(("text", "position"), BAD)
def test_what_is_no_name_is_refused_with_its_place(text: str, position: int) -> None:
    with pytest.raises(DNSyntaxError) as caught:
        DN.parse(text)
    assert caught.value.position == position


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("CN = Ann  Lee , o=Example", "CN=Ann  Lee,o=Example"),
        ("2.5.4.3=Ann", "cn=Ann"),
        ('cn="Lee, Ann"', r"cn=Lee\, Ann"),
        (r"cn=\41nn", "cn=Ann"),
        (r"cn=\ a\ ", r"cn=\ a\ "),
        (r"cn=\20", r"cn=\ "),
        (r"cn=\#a#", r"cn=\#a#"),
        (r"cn=a\00b\0a", r"cn=a\00b\0a"),
        (r"cn=\ff\c3\a9", r"cn=\ffé"),
        ("cn=a/b", "cn=a/b"),
        ("cn=#020101", "cn=#020101"),
        ("b=1+A=2", "b=1+A=2"),
    ],
)
def test_a_name_is_written_with_no_more_escapes_than_needed(text: str, canonical: str) -> None:
    assert str(DN.parse(text)) == canonical


@given(RDNS)
def test_a_written_name_reads_back_equal(pairs: list[tuple[str, str | bytes]]) -> None:
    name = DN([(pair,) for pair in pairs])
    back = DN.parse(str(name))
    assert back == name
    assert str(back) == str(name)


@given(st.text(max_size=60) | st.text('cn=o,+;\\"# \x00é\udcffaf0', max_size=60))
def test_any_text_is_a_name_or_refused(text: str) -> None:
    try:
        name = DN.parse(text)
    except DNSyntaxError:
        return
    assert DN.parse(str(name)) == name


@given(VALUES)
def test_an_escaped_value_is_one_value(value: str) -> None:
    name = DN.parse(f"cn={escape_dn_value(value)},o=x")
    assert name.rdns == ((("cn", value),), (("o", "x"),))


def test_bytes_that_are_no_text_are_kept() -> None:
    name = DN.parse(r"cn=\ff\fe")
    assert name.rdns == ((("cn", "\udcff\udcfe"),),)


def test_a_parent_is_one_step_up() -> None:
    name = DN.parse(r"cn=a\,b,ou=x,o=y")
    assert str(name.parent) == "ou=x,o=y"
    assert DN.parse("o=y").parent == DN()
    assert DN().parent is None


def test_only_the_empty_name_is_falsy() -> None:
    assert not DN()
    assert DN.parse("o=x")
    assert len(DN.parse("cn=a+sn=b,o=x")) == 2


def test_a_name_is_under_itself_and_what_is_above() -> None:
    name = DN.parse("cn=a,OU=People,o=x")
    assert name.is_under(name)
    assert name.is_under(DN.parse("ou=people, O=X"))
    assert name.is_under(DN())
    assert not name.is_under(DN.parse("ou=groups,o=x"))
    assert not DN.parse("o=x").is_under(name)
    assert not DN.parse(r"cn=a\,o=x").is_under(DN.parse("o=x"))


@pytest.mark.parametrize(
    "text",
    [
        "a=," * 33_000 + "a=",
        "cn=" + "\\2c" * 33_000,
        "cn=" + "\\," * 50_000,
        'cn="' + "\\\\" * 50_000,
        "cn=" + " " * 100_000 + ",o=x",
        "cn=#" + "00" * 50_000,
        "cn=#" + "0" * 100_001,
        " " * 100_000 + "x",
        "1." * 50_000,
        "cn=" + "a \\" * 33_000,
        "a=+" * 33_000 + "a=",
    ],
)
def test_a_name_of_100_kilobytes_costs_little(text: str) -> None:
    before = time.process_time()
    try:
        name = DN.parse(text)
        assert DN.parse(str(name)) == name
    except DNSyntaxError:
        pass
    assert time.process_time() - before < 2.0


@given(st.text(max_size=20).filter(lambda text: text.isprintable()), st.sampled_from(["cn", "1.2.3", "x-y"]))
def test_a_child_has_any_value_as_it_is(value: str, kind: str) -> None:
    base = DN.parse("ou=people,o=x")
    child = base.child(kind, value)
    assert DN.parse(str(child)) == child
    assert (child.parent, child.rdn) == (base, ((kind, value),))
    assert child.is_under(base)
    assert DN.parse(str(child)).rdns == child.rdns


@pytest.mark.parametrize("kind", ["", "c n", "cn=", "1x", "cn;lang-de", "é"])
def test_a_child_needs_an_attribute_type(kind: str) -> None:
    with pytest.raises(DNSyntaxError):
        DN.parse("o=x").child(kind, "a")


def test_names_are_joined_and_taken_apart() -> None:
    relative, base = DN.parse("cn=a,ou=b"), DN.parse("ou=c,o=d")
    whole = relative.join(base)
    assert whole == DN.parse("cn=a,ou=b,ou=c,o=d")
    assert whole.relative_to(DN.parse("OU=C, O=D")) == relative
    assert whole.relative_to(whole) == DN()
    assert whole.join(DN()) == DN().join(whole) == whole
    with pytest.raises(ValueError, match="not under"):
        base.relative_to(whole)


def test_the_rdn_of_a_name() -> None:
    assert DN.parse("cn=a+sn=b,o=x").rdn == (("cn", "a"), ("sn", "b"))
    assert DN().rdn == ()


def test_text_is_parsed_by_parse_alone() -> None:
    with pytest.raises(TypeError):
        DN("cn=a")  # type: ignore[arg-type]  # that is the point


def test_an_oid_is_written_by_its_short_name() -> None:
    assert str(DN.parse("2.5.4.13=x,0.9.2342.19200300.100.1.25=y,1.2.3=z")) == "description=x,dc=y,1.2.3=z"
