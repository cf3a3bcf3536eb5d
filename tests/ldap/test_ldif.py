"""LDIF in and out (RFC 2849)."""

import io
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quintet.ldap import Add, Change, Control, Delete, Entry, Increment, LdifError, ManageDsaIT, Replace, ldif
from quintet.ldap.ldif import Record
from quintet.ldap.messages import AddRequest, DeleteRequest, ModifyDNRequest, ModifyRequest

VALUES = st.lists(st.binary(max_size=120), min_size=1, max_size=3)
NAMES = st.sampled_from(["cn", "userCertificate;binary", "2.5.4.99", "x-y"])
DNS = st.sampled_from(
    ["cn=a,o=x", "cn=é,o=x", r"cn=\ff", "cn=" + "long " * 40 + "name", "cn= a", "cn=\udcff"]
)
ENTRIES = st.builds(Entry, DNS | st.just(""), st.dictionaries(NAMES, VALUES))
MODIFICATIONS = (
    st.builds(Add, NAMES, VALUES)
    | st.builds(Delete, NAMES, st.none() | VALUES)
    | st.builds(Replace, NAMES, st.just([]) | VALUES)
    | st.builds(Increment, NAMES, st.integers(-(10**9), 10**9))
)
REQUESTS = (
    st.builds(AddRequest, DNS, st.dictionaries(NAMES, VALUES, min_size=1))
    | st.builds(DeleteRequest, DNS)
    | st.builds(ModifyRequest, DNS, st.lists(MODIFICATIONS, min_size=1, max_size=4).map(tuple))
    | st.builds(ModifyDNRequest, DNS, DNS, st.booleans(), st.none() | DNS | st.just(""))
)
CONTROLS = st.builds(
    Control,
    st.sampled_from(["1.2.3", "2.16.840.1.113730.3.4.2"]),
    st.booleans(),
    st.none() | st.binary(max_size=80),
)
CHANGES = st.builds(Change, REQUESTS, st.lists(CONTROLS, max_size=2).map(tuple))
LINES = (
    "dn: cn=a",
    "changetype: modify",
    "changetype: add",
    "changetype: moddn",
    "control: 1.2 true",
    "add: cn",
    "increment: cn",
    "cn: x",
    "cn: 1",
    "cn:: eA==",
    "newrdn: cn=b",
    "deleteoldrdn: 1",
    " y",
    "-",
    "",
)
RECORDS = st.lists(ENTRIES | CHANGES, max_size=4)


def written(records: list[Record]) -> bytes:
    return b"".join(ldif.write(records))


@given(RECORDS)
def test_records_survive_being_written_and_read(records: list[Record]) -> None:
    data = written(records)
    assert list(ldif.read(data)) == records
    assert list(ldif.read(io.BytesIO(data))) == records
    assert list(ldif.read(data.replace(b"\n", b"\r\n"))) == records
    assert all(len(line) <= 76 for line in data.split(b"\n"))


@given(
    st.binary(max_size=200)
    | st.text("dn:cao= \n\r#<-", max_size=60).map(str.encode)
    | st.lists(
        st.sampled_from(LINES),
        max_size=12,
    ).map(lambda lines: "\n".join(lines).encode())
)
def test_any_bytes_are_ldif_or_refused(data: bytes) -> None:
    try:
        records = list(ldif.read(data))
    except LdifError:
        return
    assert list(ldif.read(written(records))) == records


def test_entries_in_the_forms_of_rfc_2849() -> None:
    text = """version: 1
# a comment
 that goes on
dn: cn=Ann,
 o=x
cn: Ann
CN:: QW5uYQ==
description:no blank
empty:
sn:   Lee

# between

dn:: Y249w6ksbz14
cn: é

dn: cn=only its name
"""
    assert list(ldif.read_entries(text)) == [
        Entry(
            "cn=Ann,o=x",
            {"cn": [b"Ann", b"Anna"], "description": [b"no blank"], "empty": [b""], "sn": [b"Lee"]},
        ),
        Entry("cn=é,o=x", {"cn": ["é".encode()]}),
        Entry("cn=only its name", {}),
    ]


def test_changes_in_the_forms_of_rfc_2849() -> None:
    text = """version: 1
dn: cn=Fiona Jensen, ou=Marketing
changetype: add
objectclass: top
objectclass: person
cn: Fiona Jensen

dn: cn=Robert Jensen, ou=Marketing
control: 1.2.840.113556.1.4.805 true
changetype: delete

dn: cn=Paul Jensen, ou=Product Development
changetype: modrdn
newrdn: cn=Paula Jensen
deleteoldrdn: 1

dn: ou=PD Accountants, ou=Product Development
changetype: MODDN
newrdn: ou=Product Development Accountants
deleteoldrdn: 0
newsuperior: ou=Accounting

dn: cn=Paula Jensen, ou=Product Development
changetype: modify
add: postaladdress
postaladdress: 123 Anystreet $ Sunnyvale
-

delete: description
-
"""
    first, *others = ldif.read(text.partition("-\n\n")[0] + "-\n" + text.partition("-\n\n")[2])
    assert first == Change(
        AddRequest(
            "cn=Fiona Jensen, ou=Marketing",
            {"objectclass": [b"top", b"person"], "cn": [b"Fiona Jensen"]},
        )
    )
    assert others == [
        Change(
            DeleteRequest("cn=Robert Jensen, ou=Marketing"),
            (Control("1.2.840.113556.1.4.805", True),),
        ),
        Change(ModifyDNRequest("cn=Paul Jensen, ou=Product Development", "cn=Paula Jensen", True, None)),
        Change(
            ModifyDNRequest(
                "ou=PD Accountants, ou=Product Development",
                "ou=Product Development Accountants",
                False,
                "ou=Accounting",
            )
        ),
        Change(
            ModifyRequest(
                "cn=Paula Jensen, ou=Product Development",
                (Add("postaladdress", ["123 Anystreet $ Sunnyvale"]), Delete("description")),
            )
        ),
    ]


@pytest.mark.parametrize(
    ("line", "control"),
    [
        ("control: 1.2.3", Control("1.2.3")),
        ("control:1.2.3  TRUE", Control("1.2.3", True)),
        ("control: 1.2.3 false: text", Control("1.2.3", False, b"text")),
        ("control: 1.2.3 true:: /w==", Control("1.2.3", True, b"\xff")),
        ("control: 1.2.3: text", Control("1.2.3", False, b"text")),
        ("control: 1.2.3 true:", Control("1.2.3", True, b"")),
    ],
)
def test_controls(line: str, control: Control) -> None:
    (change,) = ldif.read(f"dn: cn=a\n{line}\nchangetype: delete\n")
    assert isinstance(change, Change)
    assert change.controls == (control,)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("cn: a", 1),
        ("dn: nonsense\ncn: a", 1),
        ("dn: cn=a\ncn:: ###", 2),
        ("dn: cn=a\ncn: a\njpegPhoto:< file:///etc/passwd", 3),
        ("dn: cn=a\ncn: a\n\n\n dn: cn=b", 5),
        (" cn=a", 1),
        ("dn: cn=a\ncn", 2),
        ("dn: cn=a\n-", 2),
        ("version: 2\ndn: cn=a\ncn: a", 1),
        ("dn: cn=a\ncn: a\ndn: cn=b", 3),
        ("dn: cn=a\ncn: a\nchangetype: delete", 3),
        ("dn: cn=a\nchangetype: destroy", 2),
        ("dn: cn=a\nchangetype: add", 2),
        ("dn: cn=a\nchangetype: delete\ncn: a", 3),
        ("dn:\nchangetype: delete", 2),
        ("dn: cn=a\nchangetype: modify", 2),
        ("dn: cn=a\nchangetype: modify\nadd: cn\n-", 3),
        ("dn: cn=a\nchangetype: modify\nadd: cn\nsn: x\n-", 4),
        ("dn: cn=a\nchangetype: modify\nchange: cn\ncn: x\n-", 3),
        ("dn: cn=a\nchangetype: modify\nadd: a b\n-", 3),
        ("dn: cn=a\nchangetype: modify\nincrement: n\nn: x\n-", 3),
        ("dn: cn=a\nchangetype: modify\nincrement: n\nn: 1\nn: 2\n-", 3),
        ("dn: cn=a\nchangetype: modrdn\nnewrdn: cn=b", 2),
        ("dn: cn=a\nchangetype: modrdn\nnewrdn: cn=b\ndeleteoldrdn: yes", 4),
        ("dn: cn=a\ncontrol: x\nchangetype: delete", 2),
        ("dn: cn=a\ncontrol: 1.2 maybe\nchangetype: delete", 2),
        ("dn: cn=a\ncontrol: 1.2:< file:///etc/passwd\nchangetype: delete", 2),
        ("dn: cn=a\ncontrol: 1.2\ncn: a", 1),
    ],
)
def test_what_is_not_ldif_is_refused_with_its_line(text: str, line: int) -> None:
    with pytest.raises(LdifError) as caught:
        list(ldif.read(text))
    assert caught.value.line == line


def test_a_change_is_no_entry() -> None:
    with pytest.raises(LdifError) as caught:
        list(ldif.read_entries("dn: cn=a\ncn: a\n\ndn: cn=b\nchangetype: delete\n"))
    assert caught.value.line == 4


def test_a_url_is_read_only_by_what_the_caller_gives() -> None:
    asked = []

    def resolve(url: str) -> bytes:
        asked.append(url)
        return b"\xff\xd8"

    (entry,) = ldif.read_entries("dn: cn=a\njpegPhoto:< file:///tmp/photo.jpg\n", resolve=resolve)
    assert (entry.get("jpegPhoto"), asked) == ([b"\xff\xd8"], ["file:///tmp/photo.jpg"])


@pytest.mark.parametrize(
    "record",
    [
        lambda: "x" * 5000,
        lambda: "dn: cn=a\n" + "cn: x\n" * 1000,
        lambda: "dn: cn=a\ncn: x\n" + " y\n" * 2000,
        lambda: "dn: cn=a\n#" + "x" * 5000,
    ],
    ids=["line", "lines", "continuations", "comment"],
)
def test_a_record_that_is_too_large_is_refused_before_it_is_read(record: Callable[[], str]) -> None:
    class Endless(io.BytesIO):
        most = 0

        def readline(self, size: int | None = -1) -> bytes:
            self.most = max(self.most, self.tell())
            return super().readline(size)

    source = Endless(b"dn: cn=first\ncn: x\n\n" + record().encode() + b"z" * 1_000_000)
    found = ldif.read(source, largest_record=1000)
    assert next(found) == Entry("cn=first", {"cn": [b"x"]})
    with pytest.raises(LdifError):
        next(found)
    assert source.most < 3000


def test_many_records_are_read_one_by_one() -> None:
    data = b"dn: cn=a\ncn: x\n\n" * 5000
    source = io.BytesIO(data)
    found = ldif.read(source, largest_record=100)
    next(found)
    assert source.tell() < 100
    assert sum(1 for _ in found) == 4999


def test_a_file_open_for_text_is_a_type_error() -> None:
    with pytest.raises(TypeError):
        list(ldif.read(io.StringIO("dn: cn=a\n")))  # type: ignore[arg-type]  # that is the point


@pytest.mark.parametrize("name", ["dn", "DN", "changetype", "control", "-"])
@pytest.mark.parametrize("change", ["add", "delete", "replace"])
def test_a_name_that_is_not_written_is_not_read_as_a_modification(change: str, name: str) -> None:
    with pytest.raises(LdifError) as caught:
        list(ldif.read(f"dn: cn=a\nchangetype: modify\n{change}: {name}\n-\n"))
    assert caught.value.line == 3


@pytest.mark.parametrize("name", ["a b", "cn\nchangetype", "", "dn", "changetype", "Control", "-", "é"])
def test_a_name_that_would_change_the_meaning_is_not_written(name: str) -> None:
    with pytest.raises(ValueError, match="attribute"):
        written([Entry("cn=a", {"cn": [b"a"], name: [b"delete"]})])


def test_what_is_written_is_as_ldapmodify_reads_it() -> None:
    change = Change(
        ModifyRequest("cn=é", (Replace("cn", ["a", " b"]), Delete("sn"), Increment("uidNumber", 5))),
        (ManageDsaIT(),),
    )
    assert written([change]).decode() == (
        "dn:: Y249w6k=\n"
        "control: 2.16.840.1.113730.3.4.2 true\n"
        "changetype: modify\n"
        "replace: cn\ncn: a\ncn:: IGI=\n-\n"
        "delete: sn\n-\n"
        "increment: uidNumber\nuidNumber: 5\n-\n\n"
    )
    assert change.dn == "cn=é"
