"""The sample organisation is what its tests and the demo count on."""

import io
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from quintet.embedded import portrait, sample
from quintet.embedded.tree import Tree
from quintet.ldap import Entry
from quintet.ldap.dn import DN
from quintet.ldap.ldif import read_entries

SCHEMA = Path("/etc/ldap/schema")


def _of_class(name: bytes) -> list[Entry]:
    return [entry for entry in sample.entries() if name in entry.attributes["objectClass"]]


def test_there_are_some_500_people_with_mail_of_their_own() -> None:
    people = _of_class(b"inetOrgPerson")
    assert 450 <= len(people) <= 550
    assert len({entry.text("mail") for entry in people}) == len(people)
    assert len({entry.text("uid") for entry in people}) == len(people)


def test_some_people_share_a_name_and_some_have_no_photo() -> None:
    people = _of_class(b"inetOrgPerson")
    assert Counter(entry.attributes["cn"][0] for entry in people)[b"John Smith"] == 2
    assert any("jpegPhoto" not in entry.attributes for entry in people)


def test_names_are_as_hard_as_names_get() -> None:
    names = "".join(
        entry.attributes["cn"][0].decode() for entry in sample.entries() if "cn" in entry.attributes
    )
    assert set(',"()*#/+\\;<>=') <= set(names)
    assert not names.isascii()


def test_every_entry_stands_below_one_before_it() -> None:
    seen = {DN()}
    for entry in sample.entries():
        assert DN.parse(entry.dn).parent in seen | {DN()}
        seen.add(DN.parse(entry.dn))
    assert len(seen) == len(sample.entries()) + 1


def test_only_the_alumni_have_a_member_who_is_gone() -> None:
    known = {DN.parse(entry.dn) for entry in sample.entries()}
    gone = [
        (entry.attributes["cn"][0], member)
        for entry in sample.entries()
        for member in entry.attributes.get("member", ())
        if member and DN.parse(member.decode()) not in known
    ]
    assert gone == [(b"Alumni", b"cn=Long Gone,ou=people,o=example")]


def test_one_group_is_empty_and_some_go_in_circles() -> None:
    groups = {entry.attributes["cn"][0]: entry.attributes["member"] for entry in _of_class(b"groupOfNames")}
    assert groups[b"Empty Room"] == [b""]
    assert b"cn=Circle East,ou=groups,o=example" in groups[b"Circle West"]
    assert b"cn=Circle West,ou=groups,o=example" in groups[b"Circle East"]
    assert len(groups[b"All Staff"]) == len(_of_class(b"inetOrgPerson"))


def test_passwords_are_derived_from_the_uid() -> None:
    tree = Tree(sample.entries())
    for node in tree.nodes.values():
        if uid := node.raw("uid"):
            assert node.has_password(sample.password_of(uid[0].decode()).encode())
            assert not node.has_password(uid[0])
    reader = tree.get(DN.parse(sample.READER))
    assert reader is not None
    assert reader.has_password(sample.READER_PASSWORD.encode())


def test_the_ldif_reads_back_as_the_entries() -> None:
    assert tuple(read_entries(sample.ldif())) == sample.entries()


@pytest.mark.real
@pytest.mark.skipif(not SCHEMA.exists(), reason="slapd is not installed")
def test_slapd_takes_the_organisation(tmp_path: Path) -> None:
    (tmp_path / "db").mkdir()
    (tmp_path / "sample.ldif").write_bytes(sample.ldif())
    (tmp_path / "conf").write_text(
        "".join(f"include {SCHEMA}/{name}.schema\n" for name in ("core", "cosine", "inetorgperson"))
        + "modulepath /usr/lib/ldap\nmoduleload back_mdb\ndatabase mdb\n"
        + f'suffix "{sample.BASE}"\ndirectory {tmp_path}/db\n'
    )
    ended = subprocess.run(
        ["/usr/sbin/slapadd", "-f", tmp_path / "conf", "-l", tmp_path / "sample.ldif"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    listed = subprocess.run(
        ["/usr/sbin/slapcat", "-f", tmp_path / "conf"], capture_output=True, check=True
    ).stdout
    assert listed.count(b"\ndn:") + 1 == len(sample.entries())


def test_a_portrait_is_always_the_same_and_small() -> None:
    assert portrait.draw("ann") == portrait.draw("ann") != portrait.draw("bob")
    assert len(portrait.draw("ann")) < 1024


def test_a_portrait_is_a_jpeg_from_start_to_end() -> None:
    """Segment by segment (ITU-T T.81 annex B); inside the scan, every 0xFF is stuffed."""
    stream = io.BytesIO(portrait.draw("ann"))
    assert stream.read(2) == b"\xff\xd8"
    markers = list[int]()
    while not markers or markers[-1] != 0xDA:
        start, marker = stream.read(2)
        assert start == 0xFF
        markers.append(marker)
        stream.read(int.from_bytes(stream.read(2), "big") - 2)
    assert markers == [0xE0, 0xDB, 0xC0, 0xC4, 0xC4, 0xDA]
    scan = stream.read()
    assert scan.endswith(b"\xff\xd9")
    assert scan[:-2].count(b"\xff") == scan[:-2].count(b"\xff\0")


@pytest.mark.real
@pytest.mark.skipif(shutil.which("javac") is None, reason="there is no Java compiler")
def test_a_portrait_opens_in_a_real_decoder(tmp_path: Path) -> None:
    """Java's own: red, green, blue and white blocks come out as such."""
    colours = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)]
    (tmp_path / "four.jpg").write_bytes(portrait.encode([colours[:2], colours[2:]]))
    (tmp_path / "face.jpg").write_bytes(portrait.draw("ann"))
    (tmp_path / "Look.java").write_text(
        "import javax.imageio.ImageIO; import java.io.File;"
        "class Look { public static void main(String[] a) throws Exception {"
        ' var four = ImageIO.read(new File(a[0], "four.jpg"));'
        " for (int y = 4; y < 16; y += 8) for (int x = 4; x < 16; x += 8) {"
        " int c = four.getRGB(x, y);"
        ' System.out.println((c >> 16 & 255) + " " + (c >> 8 & 255) + " " + (c & 255)); }'
        ' var face = ImageIO.read(new File(a[0], "face.jpg"));'
        ' System.out.println(face.getWidth() + " " + face.getHeight()); } }'
    )
    ended = subprocess.run(
        ["java", tmp_path / "Look.java", tmp_path], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
    *seen, size = (tuple(map(int, line.split())) for line in ended.stdout.splitlines())
    assert size == (96, 96)
    assert all(
        abs(a - b) <= 3
        for got, want in zip(seen, colours, strict=True)
        for a, b in zip(got, want, strict=True)
    )
