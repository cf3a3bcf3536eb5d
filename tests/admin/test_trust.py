"""The trust store is found, made, changed and stashed; whatever goes wrong, the old files are whole."""

import os
import resource
import signal
import stat
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from quintet.admin import trust
from quintet.admin.listing import rows_of
from quintet.admin.trust import Target, TrustError
from quintet.files import WriteError
from quintet.secret import Secret
from quintet.tls import (
    DamagedStoreError,
    NoSuchEntryError,
    NotAStoreError,
    StashError,
    StoreKind,
    StoreNotFoundError,
    WrongStorePasswordError,
    WrongStoreTypeError,
    new_store,
    read_stash,
    write_stash,
)
from support import certs, keytool

ROOT = certs.authority("Root")
OTHER = certs.authority("Other root", use="other")
MIDDLE = certs.authority("Middle", issuer=ROOT)
LEAF = certs.leaf(MIDDLE, "ldap.example.com")
SELF = certs.self_signed("ldap.example.com")
NOTHING: Mapping[str, str] = {}
PASSWORD = Secret(keytool.PASSWORD)


def given() -> Secret:
    return PASSWORD


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """One store of each kind, made by `keytool`, that holds the root."""
    folder = tmp_path_factory.mktemp("stores")
    paths = {
        "new.p12": keytool.trust_store(folder / "new.p12", {"root": ROOT}),
        "old.pfx": keytool.trust_store(folder / "old.pfx", {"root": ROOT}, legacy=True),
        "store.jks": keytool.trust_store(folder / "store.jks", {"root": ROOT}),
    }
    return {name: path.read_bytes() for name, path in paths.items()}


@pytest.fixture
def folder(tmp_path: Path, made: dict[str, bytes]) -> Path:
    """A settings folder whose store is new.p12, with its password as plain text."""
    for name, data in made.items():
        (tmp_path / name).write_bytes(data)
    write_ini(tmp_path, "new.p12", password=keytool.PASSWORD)
    return tmp_path


def write_ini(folder: Path, file: str, *, password: str | None = None, stash: str | None = None) -> None:
    lines = ["; ours", "[Config]", f"STLDAP_TLS_TRUST_STORE_FILE = {folder / file}"]
    if password is not None:
        lines.append(f"STLDAP_TLS_TRUST_STORE_PASSWORD={password}")
    if stash is not None:
        lines.append(f"STLDAP_TLS_TRUST_STORE_PASSWORD_STASH_FILE={stash}")
    (folder / "sametime.ini").write_text("\n".join([*lines, "ST_COMMUNITY_ID=x", ""]))


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def aliases(target: Target) -> list[str]:
    return [entry.alias for entry in target.store.trusted]


@pytest.mark.parametrize("name", ["new.p12", "old.pfx", "store.jks"])
def test_c18_a_store_of_every_kind_is_opened_changed_and_listed_by_keytool(folder: Path, name: str) -> None:
    target = trust.file_store(folder / name, given)
    changed = trust.add(target.store, [OTHER.certificate]).store
    backups = trust.save(target, changed, folder=folder)
    assert keytool.entries(folder / name) == {"root": "trustedCertEntry", "other-root": "trustedCertEntry"}
    assert [path.name for path in backups] == [f"{name}.bak"]


@pytest.mark.parametrize(("name", "legacy"), [("new.p12", False), ("old.pfx", True)])
def test_c19_the_encoding_of_a_store_stays(folder: Path, name: str, legacy: bool) -> None:
    target = trust.file_store(folder / name, given)
    trust.save(target, target.store, folder=folder)
    assert trust.file_store(folder / name, given).store.encoding.legacy is legacy


def test_the_store_of_the_settings_is_found_by_its_clear_password(folder: Path) -> None:
    assert aliases(trust.settings_store(folder, NOTHING)) == ["root"]


def test_the_store_of_the_settings_is_found_while_other_settings_are_wrong(folder: Path) -> None:
    (folder / "StCommunityConfig.xml").write_text("<broken")
    assert aliases(trust.settings_store(folder, NOTHING)) == ["root"]


def test_c12_the_store_may_be_set_in_the_environment(folder: Path) -> None:
    (folder / "sametime.ini").unlink()
    environ = {
        "STI__Config__ST_TLS_TRUST_STORE_FILE": str(folder / "store.jks"),
        "STI__Config__ST_TLS_TRUST_STORE_PASSWORD": keytool.PASSWORD,
    }
    assert trust.settings_store(folder, environ).kind is StoreKind.JKS


def test_without_any_store_the_cure_is_told(tmp_path: Path) -> None:
    with pytest.raises(TrustError, match="no trust store is set") as caught:
        trust.settings_store(tmp_path, NOTHING)
    assert "quintet trust fetch" in (caught.value.fix or "")


def test_a_new_store_comes_with_a_stash_and_its_keys_in_the_ini_file(tmp_path: Path) -> None:
    (tmp_path / "sametime.ini").write_text("; ours\n[Config]\nST_COMMUNITY_ID=x\n[Debug]\n")
    target = trust.settings_store_or_new(tmp_path, NOTHING)
    trust.save(target, trust.add(target.store, [ROOT.certificate]).store, folder=tmp_path)

    store, stash = tmp_path / "ldaptruststore.p12", tmp_path / "ldaptruststore.sth"
    assert (tmp_path / "sametime.ini").read_text() == (
        "; ours\n[Config]\nST_COMMUNITY_ID=x\n"
        "STLDAP_TLS_TRUST_STORE_TYPE=p12\n"
        f"STLDAP_TLS_TRUST_STORE_FILE={store}\n"
        f"STLDAP_TLS_TRUST_STORE_PASSWORD_STASH_FILE={stash}\n"
        "[Debug]\n"
    )
    password = read_stash(stash).reveal()
    assert keytool.entries(store, password) == {"root": "trustedCertEntry"}
    assert {stat.S_IMODE(path.stat().st_mode) for path in (store, stash)} == {0o600}
    assert aliases(trust.settings_store(tmp_path, NOTHING)) == ["root"]


def test_a_folder_without_an_ini_file_gets_one_with_the_new_store(tmp_path: Path) -> None:
    target = trust.settings_store_or_new(tmp_path, NOTHING)
    trust.save(target, target.store, folder=tmp_path)
    assert (tmp_path / "sametime.ini").read_text().startswith("[Config]\nSTLDAP_TLS_TRUST_STORE_TYPE=p12\n")


def test_two_new_stores_have_two_passwords(tmp_path: Path) -> None:
    first, second = (trust.settings_store_or_new(tmp_path, NOTHING).password for _ in range(2))
    assert first != second
    assert len(first.reveal()) >= 24


def test_a_store_that_is_set_and_missing_is_made_with_its_password(folder: Path) -> None:
    write_ini(folder, "missing.p12", password="chosen-password")
    before = (folder / "sametime.ini").read_bytes()
    target = trust.settings_store_or_new(folder, NOTHING)
    trust.save(target, trust.add(target.store, [ROOT.certificate]).store, folder=folder)
    assert keytool.entries(folder / "missing.p12", "chosen-password") == {"root": "trustedCertEntry"}
    assert (folder / "sametime.ini").read_bytes() == before


def test_a_store_that_is_set_without_password_gets_a_stash(folder: Path) -> None:
    write_ini(folder, "missing.p12")
    target = trust.settings_store_or_new(folder, NOTHING)
    trust.save(target, target.store, folder=folder)
    assert trust.settings_store(folder, NOTHING).password == read_stash(folder / "missing.sth")


def test_a_store_that_lies_there_unnamed_is_not_overwritten(folder: Path) -> None:
    (folder / "sametime.ini").unlink()
    (folder / "ldaptruststore.p12").write_bytes(b"precious")
    with pytest.raises(TrustError, match=r"ldaptruststore\.p12 exists"):
        trust.settings_store_or_new(folder, NOTHING)


def test_adding_leaves_out_what_would_not_help_and_says_why() -> None:
    additions = trust.add(
        new_store(), [LEAF.certificate, MIDDLE.certificate, ROOT.certificate, SELF.certificate]
    )
    assert [alias for alias, _ in additions.added] == ["middle", "root", "ldap.example.com"]
    assert [(c, "server's own" in why) for c, why in additions.left_out] == [(LEAF.certificate, True)]


def test_adding_by_force_takes_even_a_leaf() -> None:
    assert trust.add(new_store(), [LEAF.certificate], force=True).added


def test_adding_what_is_there_already_names_its_alias() -> None:
    store = new_store().with_trusted("mine", ROOT.certificate)
    assert trust.add(store, [ROOT.certificate]).left_out == (
        (ROOT.certificate, "the store holds it already, as 'mine'"),
    )


def test_an_alias_that_is_asked_for_is_numbered_when_there_are_several() -> None:
    additions = trust.add(new_store(), [ROOT.certificate, OTHER.certificate], alias="Mine")
    assert [alias for alias, _ in additions.added] == ["Mine", "Mine-2"]


def test_removing_an_unknown_entry_names_the_known_ones(folder: Path) -> None:
    target = trust.settings_store(folder, NOTHING)
    with pytest.raises(NoSuchEntryError, match="the entries are: root"):
        trust.without(target.store, ["rooot"])


@pytest.mark.parametrize(
    ("source", "to", "legacy"),
    [
        ("new.p12", "out.jks", False),
        ("store.jks", "out.p12", False),
        ("store.jks", "out.pfx", True),
        ("new.p12", "new.p12", True),
        ("old.pfx", "old.pfx", False),
    ],
)
def test_a_store_is_converted_and_read_by_keytool(folder: Path, source: str, to: str, legacy: bool) -> None:
    trust.convert(trust.file_store(folder / source, given), folder / to, legacy=legacy)
    assert keytool.entries(folder / to) == {"root": "trustedCertEntry"}
    assert trust.file_store(folder / to, given).store.encoding.legacy is (legacy or to.endswith(".jks"))


def test_converting_does_not_overwrite_another_file(folder: Path) -> None:
    with pytest.raises(TrustError, match="exists already"):
        trust.convert(trust.file_store(folder / "new.p12", given), folder / "store.jks")


def test_stashing_moves_the_password_out_of_the_ini_file(folder: Path) -> None:
    stashed = trust.stash(folder, NOTHING)
    assert stashed.path == folder / "new.sth"
    assert stashed.variable is None
    assert read_stash(stashed.path) == PASSWORD
    assert (folder / "sametime.ini").read_text() == (
        f"; ours\n[Config]\nSTLDAP_TLS_TRUST_STORE_FILE = {folder / 'new.p12'}\nST_COMMUNITY_ID=x\n"
        f"STLDAP_TLS_TRUST_STORE_PASSWORD_STASH_FILE={folder / 'new.sth'}\n"
    )
    assert aliases(trust.settings_store(folder, NOTHING)) == ["root"]


def test_d42_an_ini_file_whose_name_is_in_another_case_is_changed_where_it_is(folder: Path) -> None:
    (folder / "sametime.ini").rename(folder / "Sametime.ini")
    trust.stash(folder, NOTHING)
    assert "PASSWORD_STASH_FILE=" in (folder / "Sametime.ini").read_text()
    assert not (folder / "sametime.ini").exists()


def test_stashing_twice_is_refused(folder: Path) -> None:
    trust.stash(folder, NOTHING)
    with pytest.raises(TrustError, match="already"):
        trust.stash(folder, NOTHING)


def test_stashing_a_password_from_the_environment_names_the_variable(folder: Path) -> None:
    write_ini(folder, "new.p12")
    name = "STI__Config__STLDAP_TLS_TRUST_STORE_PASSWORD"
    assert trust.stash(folder, {name: keytool.PASSWORD}).variable == name


def test_stashing_a_wrong_password_is_refused_and_changes_nothing(folder: Path) -> None:
    write_ini(folder, "new.p12", password="wrong")
    before = contents(folder)
    with pytest.raises(WrongStorePasswordError):
        trust.stash(folder, NOTHING)
    assert contents(folder) == before


def test_a_stash_that_does_not_open_the_store_gives_way_to_the_password_that_does(folder: Path) -> None:
    write_stash(folder / "a.sth", Secret("wrong"))
    write_ini(folder, "new.p12", password=keytool.PASSWORD, stash="a.sth")
    assert trust.settings_store(folder, NOTHING).password == PASSWORD


def test_a_missing_stash_without_a_password_is_told(folder: Path) -> None:
    write_ini(folder, "new.p12", stash="a.sth")
    with pytest.raises(StashError, match="stash file"):
        trust.settings_store(folder, NOTHING)


@pytest.mark.parametrize(
    ("name", "data", "error"),
    [
        ("a.p12", b"just a text\n", NotAStoreError),
        ("a.p12", ROOT.pem, NotAStoreError),
        ("a.jks", b"", NotAStoreError),
        ("a.p12", "truncated", DamagedStoreError),
        ("a.jks", "new.p12", WrongStoreTypeError),
        ("a.p12", None, StoreNotFoundError),
    ],
)
def test_a_bad_store_is_told_with_its_path(
    folder: Path, name: str, data: bytes | str | None, error: type[Exception]
) -> None:
    if data == "truncated":
        data = (folder / "new.p12").read_bytes()[:300]
    elif isinstance(data, str):
        data = (folder / data).read_bytes()
    if data is not None:
        (folder / name).write_bytes(data)
    with pytest.raises(error, match=name):
        trust.file_store(folder / name, given)


def test_a_wrong_password_is_told_with_the_path(folder: Path) -> None:
    with pytest.raises(WrongStorePasswordError, match=r"new\.p12"):
        trust.file_store(folder / "new.p12", lambda: Secret("wrong"))


def test_the_password_is_not_asked_for_when_there_is_no_file(folder: Path) -> None:
    def never() -> Secret:
        raise AssertionError

    with pytest.raises(StoreNotFoundError):
        trust.file_store(folder / "none.p12", never)


def test_a_file_of_another_name_is_refused(folder: Path) -> None:
    with pytest.raises(TrustError, match=r"\.p12, \.pfx or \.jks"):
        trust.file_store(folder / "sametime.ini", given)


def test_the_rows_tell_who_can_read_the_store(folder: Path) -> None:
    new, old, jks = (
        rows_of(trust.file_store(folder / name, given).store)[0]
        for name in ("new.p12", "old.pfx", "store.jks")
    )
    assert [(r.java, r.sametime) for r in (new, old, jks)] == [(True, False), (True, True), (True, True)]
    assert (new.alias, new.kind, new.facts.subject) == ("root", "trusted", "CN=Root,O=Quintet Tests")


def in_child(work: Callable[[], None]) -> int:
    """Runs `work` in a process of its own, where limits can be given up. Its exit code."""
    child = os.fork()
    if child == 0:
        try:
            work()
        except BaseException:  # noqa: BLE001 - the parent shall see any failure as the exit code
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.mark.parametrize("room", [0, 100, 500])
def test_no_room_leaves_no_part_of_a_new_store_behind(tmp_path: Path, room: int) -> None:
    (tmp_path / "sametime.ini").write_text("[Config]\nA=1\n")
    before = contents(tmp_path)
    target = trust.settings_store_or_new(tmp_path, NOTHING)
    changed = trust.add(target.store, [ROOT.certificate]).store

    def work() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))
        with pytest.raises((WriteError, StashError)):
            trust.save(target, changed, folder=tmp_path)

    assert in_child(work) == 0
    assert contents(tmp_path) == before
