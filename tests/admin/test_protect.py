"""`protect` works out what must change in the three files, and nothing else."""

import errno
from collections.abc import Mapping
from pathlib import Path

import pytest

from quintet.admin.protect import ProtectError, carry_out, make_plan
from quintet.config import CARDS, COMMUNITY, INI
from quintet.config.load import load
from quintet.diagnostics import Place, SettingsError
from quintet.directory import Protection
from quintet.files import WriteError
from support import keytool
from support.folder import settings_folder
from support.slapd import Slapd

NOTHING: Mapping[str, str] = {}
FLAG = b"ST_DB_LDAP_SSL_ONLY_FOR_PASSWORDS=1\n"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, small_slapd: Slapd) -> Path:
    path = tmp_path_factory.mktemp("store") / "ldaptruststore.p12"
    return keytool.trust_store(path, {"ldap": small_slapd.authority})


@pytest.fixture
def folder(tmp_path: Path, small_slapd: Slapd, store: Path) -> Path:
    return settings_folder(tmp_path / "settings", small_slapd, level="none", store=store)


def contents(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in (INI, COMMUNITY, CARDS)}


def test_all_switches_ssl_on_and_touches_nothing_else(folder: Path) -> None:
    before = contents(folder)
    carry_out(make_plan(folder, NOTHING, Protection.ALL))
    assert contents(folder) == before | {
        COMMUNITY: before[COMMUNITY].replace(b'SSLEnabled="0"', b'SSLEnabled="1"')
    }


def test_c4_c5_passwords_sets_the_flag_in_its_section(folder: Path) -> None:
    before = contents(folder)
    carry_out(make_plan(folder, NOTHING, Protection.PASSWORDS))
    assert (folder / INI).read_bytes() == before[INI] + FLAG
    assert load(folder, NOTHING).directory.only_passwords


def test_d42_files_whose_names_are_in_another_case_are_changed_where_they_are(folder: Path) -> None:
    names = {name: name.swapcase() for name in (INI, COMMUNITY, CARDS)}
    for name, other in names.items():
        (folder / name).rename(folder / other)
    before = {each.name for each in folder.iterdir()}
    carry_out(make_plan(folder, NOTHING, Protection.PASSWORDS))
    assert load(folder, NOTHING).directory.only_passwords
    assert {each.name for each in folder.iterdir() if each.suffix != ".bak"} == before


@pytest.mark.parametrize("level", list(Protection))
@pytest.mark.parametrize("after", list(Protection))
def test_every_level_can_follow_every_other(folder: Path, level: Protection, after: Protection) -> None:
    carry_out(make_plan(folder, NOTHING, level))
    plan = make_plan(folder, NOTHING, after)
    carry_out(plan)
    settings = load(folder, NOTHING)
    assert settings == plan.settings
    assert {
        Protection.of(ssl_enabled=s.ssl_enabled, only_passwords=settings.directory.only_passwords)
        for s in settings.servers
    } == {after}
    assert make_plan(folder, NOTHING, after).changes == ()


def test_there_and_back_gives_the_same_files(folder: Path) -> None:
    before = contents(folder)
    carry_out(make_plan(folder, NOTHING, Protection.PASSWORDS, cards=True))
    carry_out(make_plan(folder, NOTHING, Protection.NONE, cards=False))
    assert contents(folder) == before


def test_the_old_files_stay_as_backups(folder: Path) -> None:
    before = contents(folder)
    backups = carry_out(make_plan(folder, NOTHING, Protection.PASSWORDS))
    assert {p.name: p.read_bytes() for p in backups} == {f"{n}.bak": before[n] for n in (INI, COMMUNITY)}


def test_c6_cards_stay_as_they_are_unless_asked_for(folder: Path) -> None:
    plan = make_plan(folder, NOTHING, Protection.ALL)
    assert [r.path.name for r in plan.changes] == [COMMUNITY]


def test_c68_cards_are_switched_with_their_own_store(folder: Path) -> None:
    before = contents(folder)
    carry_out(make_plan(folder, NOTHING, Protection.NONE, cards=True))
    assert contents(folder) == before | {CARDS: before[CARDS].replace(b'"false" SslPort', b'"true" SslPort')}


def test_c68_cards_without_a_store_get_that_of_the_five_connections(folder: Path) -> None:
    old = (folder / CARDS).read_text()
    start, stop = old.index("      <SslProperties"), old.index("      <Details>")
    (folder / CARDS).write_text(old[:start] + old[stop:])
    (folder / CARDS).chmod(0o644)
    plan = make_plan(folder, NOTHING, Protection.ALL, cards=True)
    carry_out(plan)
    settings = load(folder, NOTHING)
    assert settings.cards is not None
    ours, theirs = settings.tls.trust_store, settings.cards.storages[0].tls.trust_store
    assert ours is not None
    assert theirs is not None
    assert (theirs.path, theirs.password) == (ours.path, ours.password)
    assert "store-secret" not in plan.difference
    assert (folder / CARDS).stat().st_mode & 0o777 == 0o600


def test_the_difference_shows_just_the_switch(folder: Path) -> None:
    shown = make_plan(folder, NOTHING, Protection.PASSWORDS).difference
    changed = [line for line in shown.splitlines() if line[:1] in "+-" and line[:3] not in ("+++", "---")]
    assert [line.strip()[:12] for line in changed] == ["+ST_DB_LDAP_", "-    <Connec", "+    <Connec"]
    assert "secret" not in shown


@pytest.mark.parametrize(
    ("name", "value", "level", "fix"),
    [
        ("STI__Directory__ST_DB_LDAP_SSL_ONLY_FOR_PASSWORDS", "1", Protection.ALL, "set it to 0"),
        ("STI__DIRECTORY__st_db_ldap_ssl_only_for_passwords", "1", Protection.NONE, "set it to 0"),
        ("STI_Directory_ST_DB_LDAP_SSL_ONLY_FOR_PASSWORDS", "0", Protection.PASSWORDS, "set it to 1"),
    ],
)
def test_c12_a_variable_that_overrides_the_file_is_named_with_the_fix(
    folder: Path, name: str, value: str, level: Protection, fix: str
) -> None:
    before = contents(folder)
    with pytest.raises(ProtectError, match=name) as refused:
        make_plan(folder, {name: value}, level)
    assert fix in refused.value.fix
    assert contents(folder) == before


def test_a_variable_that_says_the_same_is_no_obstacle(folder: Path) -> None:
    environ = {"STI__Directory__ST_DB_LDAP_SSL_ONLY_FOR_PASSWORDS": "1"}
    assert make_plan(folder, environ, Protection.PASSWORDS).settings.directory.only_passwords


@pytest.mark.parametrize(
    ("name", "content", "line"),
    [
        (COMMUNITY, None, None),
        (COMMUNITY, b"<a>\n<b>\n</a>", 3),
        (COMMUNITY, b"<a/>", None),
        (CARDS, None, None),
        (CARDS, b"<a", 1),
    ],
)
def test_c63_a_missing_or_damaged_file_is_named(
    folder: Path, name: str, content: bytes | None, line: int | None
) -> None:
    if content is None:
        (folder / name).unlink()
    else:
        (folder / name).write_bytes(content)
    with pytest.raises(ProtectError) as refused:
        make_plan(folder, NOTHING, Protection.ALL, cards=True)
    assert refused.value.place == Place(name, line)


def test_settings_that_would_not_do_are_refused_with_their_problems(folder: Path) -> None:
    (folder / INI).write_text("[Config]\n")
    with pytest.raises(SettingsError, match="quintet trust fetch"):
        make_plan(folder, NOTHING, Protection.ALL)


def test_a_folder_without_an_ini_file_is_given_one_only_when_needed(folder: Path) -> None:
    environ = {
        f"STI__Config__{key}": value
        for key, value in (
            line.split("=", 1) for line in (folder / INI).read_text().splitlines() if "=" in line
        )
    }
    (folder / INI).unlink()
    assert [r.path.name for r in make_plan(folder, environ, Protection.ALL).changes] == [COMMUNITY]
    carry_out(make_plan(folder, environ, Protection.PASSWORDS))
    assert (folder / INI).read_bytes() == b"[Directory]\n" + FLAG


def test_a_file_that_cannot_be_read_is_named(folder: Path) -> None:
    (folder / COMMUNITY).unlink()
    (folder / COMMUNITY).mkdir()
    with pytest.raises(ProtectError) as refused:
        make_plan(folder, NOTHING, Protection.ALL)
    assert refused.value.place == Place(COMMUNITY)


def test_a_file_that_is_a_link_is_not_changed(folder: Path) -> None:
    real = (folder / COMMUNITY).rename(folder / "real.xml")
    (folder / COMMUNITY).symlink_to(real)
    before = real.read_bytes()
    with pytest.raises(WriteError) as refused:
        carry_out(make_plan(folder, NOTHING, Protection.ALL))
    assert refused.value.errno == errno.ELOOP
    assert real.read_bytes() == before


def test_cards_are_affected_by_what_changes_them_only(folder: Path) -> None:
    """At a level that keeps passwords safe, the cards' account is not sent unencrypted either."""
    assert make_plan(folder, NOTHING, Protection.ALL).cards_affected
    carry_out(make_plan(folder, NOTHING, Protection.ALL))
    assert not make_plan(folder, NOTHING, Protection.PASSWORDS).cards_affected
    assert make_plan(folder, NOTHING, Protection.PASSWORDS, cards=True).cards_affected
    assert make_plan(folder, NOTHING, Protection.PASSWORDS, cards=False).cards_affected
