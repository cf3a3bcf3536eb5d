"""Quintet on a real Active Directory (Samba), used as administrators and users use it: by its commands."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from quintet.directory.account_state import AccountState as State
from quintet.directory.services import TASKS as DIRECTORY_TASKS
from quintet.ldap import DN
from support import ad_sample, people
from support.accounts import Account, AccountState
from support.command import Ran
from support.samba_ad import SambaAD
from support.setting_up import Installation, set_up

pytestmark = pytest.mark.real

ACTIVE = ad_sample.ACCOUNTS[AccountState.ACTIVE]
MEANT = {
    AccountState.ACTIVE: State.ACTIVE,
    AccountState.DISABLED: State.DISABLED,
    AccountState.LOCKED: State.LOCKED,
    AccountState.EXPIRED: State.EXPIRED,
    AccountState.PASSWORD_EXPIRED: State.PASSWORD_EXPIRED,
    AccountState.MUST_CHANGE_PASSWORD: State.MUST_CHANGE_PASSWORD,
    AccountState.OUTSIDE_LOGON_HOURS: State.OUTSIDE_HOURS,
    AccountState.WRONG_WORKSTATION: State.WRONG_WORKSTATION,
    AccountState.SMART_CARD_REQUIRED: State.WRONG_PASSWORD,
    AccountState.NO_PASSWORD: State.WRONG_PASSWORD,
}
STATES = [pytest.param(account, id=account.login) for account in ad_sample.ACCOUNTS.values()]
TASKS = {service.value for service in DIRECTORY_TASKS}
USERS = f"CN=Users,{ad_sample.BASE}"


@pytest.fixture(scope="module")
def there(samba_ad: SambaAD, tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """What `init --yes` makes, without an edit."""
    return set_up(tmp_path_factory.mktemp("ad") / "settings", samba_ad.host, samba_ad.ca, samba_ad.service)


@pytest.fixture(scope="module")
def unencrypted(samba_ad_unencrypted: SambaAD, tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """The same on a server that takes simple binds over unencrypted connections, as Windows does."""
    server = samba_ad_unencrypted
    return set_up(tmp_path_factory.mktemp("ad") / "settings", server.host, server.ca, server.service)


def sign_in(there: Installation, name: str, password: str) -> Ran:
    return there.quintet("authenticate", name, "--password-stdin", typed=f"{password}\n")


def names(entries: list[dict[str, str]], kind: str) -> set[str]:
    return {each["name"] for each in entries if each["kind"] == kind}


# init and doctor


def test_init_writes_settings_without_an_error(there: Installation) -> None:
    assert there.ran.code == 0, there.ran.err
    found = there.ran.document
    settings = found["settings"]
    assert found["product"] == "Samba, as a domain controller"
    assert (settings["person_class"], settings["group_class"]) == ("user", "group")
    assert settings["login_domains"] == [ad_sample.DOMAIN]
    assert (settings["person_base"], settings["group_base"]) == (ad_sample.BASE, ad_sample.BASE)


def test_doctor_finds_no_error_and_no_references(there: Installation) -> None:
    ran = there.quintet("doctor", "--json")
    found = json.loads(ran.out)
    findings = found["findings"] if isinstance(found, dict) else found
    assert ran.code == 0
    assert not [each for each in findings if each["severity"] == "error"]
    assert not [each for each in findings if each["code"] == "Q26"]


def test_every_connection_is_encrypted_and_connected(there: Installation) -> None:
    rows = there.document("connections")["connections"]
    assert {(row["state"], row["encrypted"]) for row in rows} == {("connected", True)}
    assert len(rows) == 6


def test_without_an_account_init_names_it_and_writes_nothing(samba_ad: SambaAD, tmp_path: Path) -> None:
    found = set_up(tmp_path / "settings", samba_ad.host, samba_ad.ca, None)
    assert found.ran.code == 2
    assert "BindEntryDn" in found.ran.err
    assert not list(tmp_path.rglob("*.xml"))


def test_without_an_account_connections_and_doctor_say_so(there: Installation, tmp_path: Path) -> None:
    for name in ("sametime.ini", "StCommunityConfig.xml", "ldaptruststore.p12"):
        (tmp_path / name).write_bytes((there.folder / name).read_bytes())
    file = tmp_path / "StCommunityConfig.xml"
    lines = file.read_text().splitlines(keepends=True)
    file.write_text("".join(line for line in lines if "BindEntry" not in line))
    anonymous = Installation(tmp_path, there.ran)
    connections, doctor = anonymous.quintet("connections"), anonymous.quintet("doctor", "--json")
    assert (connections.code, "BindEntryDn" in connections.err) == (3, True)
    assert doctor.code == 1
    assert "Q31" in doctor.out


def test_bases_of_the_command_line_count_while_looking(samba_ad: SambaAD, tmp_path: Path) -> None:
    more = (f"--person-base={ad_sample.SERVICES}", f"--group-base={ad_sample.GROUPS}")
    found = set_up(tmp_path / "settings", samba_ad.host, samba_ad.ca, samba_ad.service, *more)
    settings = found.ran.document["settings"]
    assert (settings["person_base"], settings["group_base"]) == (ad_sample.SERVICES, ad_sample.GROUPS)
    assert "Photo" not in settings["details"]  # the only user there has none


# The tasks


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("active", id="sAMAccountName"),
        pytest.param(r"CORP\active", id="domain"),
        pytest.param(r"corp\active", id="domain in lower case"),
        pytest.param(f"active@{ad_sample.REALM}", id="userPrincipalName"),
        pytest.param("active@example.com", id="mail"),
    ],
)
def test_s19_a_user_signs_in_by_each_of_their_names(there: Installation, name: str) -> None:
    assert sign_in(there, name, ACTIVE.password).code == 0


@pytest.mark.parametrize("name", [r"OTHER\active", "PC-0001$", ad_sample.TRUST, "krbtgt", "backup$"])
def test_s53_no_machine_trust_or_foreign_domain_signs_in(there: Installation, name: str) -> None:
    assert sign_in(there, name, ACTIVE.password).code == 1


@pytest.mark.parametrize("name", ["active", "active@example.com", "State Active", ACTIVE.dn])
def test_a_card_is_found_by_login_name_mail_name_and_dn(there: Installation, name: str) -> None:
    assert there.quintet("card", name).code == 0


@pytest.mark.parametrize("name", ["PC-0001$", "PC-0001", f"CN=PC-0001,{ad_sample.COMPUTERS}"])
def test_s53_a_computer_has_no_card(there: Installation, name: str) -> None:
    assert there.quintet("card", name).code == 1


@pytest.mark.parametrize("name", ["PC-00", "krbtgt", "Guest", "disabled", "Info", ad_sample.TRUST])
def test_s53_s54_who_is_no_active_person_is_not_offered(there: Installation, name: str) -> None:
    assert there.quintet("resolve", name, "--people").code == 1


@pytest.mark.parametrize("name", people.ODD_NAMES)
def test_odd_names_are_found_and_sign_in(there: Installation, name: str) -> None:
    given, family, _ = people.ODD_NAMES[name]
    found = there.document("resolve", f"{given} {family}", "--people")["matches"]
    assert [DN.parse(each["dn"]) for each in found] == [DN.parse(ad_sample.odd_dn(name))]
    assert sign_in(there, name, people.password_of(name)).code == 0


def test_s53_browsing_shows_no_machine_no_trust_and_no_disabled_account(there: Installation) -> None:
    entries = there.document("browse", USERS)["entries"]
    assert names(entries, "person") == {"Administrator"}
    assert "Domain Users" in names(entries, "group")
    assert there.document("browse", ad_sample.COMPUTERS)["entries"] == []


def test_s55_members_by_primary_group_are_there(there: Installation) -> None:
    found = there.document("members", ad_sample.PRIMARY_GROUP)
    dns = {each["dn"] for each in found["members"]}
    count = ad_sample.CONTRACTOR_COUNT
    assert dns == {ad_sample.contractor_dn(number) for number in range(1, count + 1)}


def test_s59_a_group_of_machines_has_no_people_and_misses_none(there: Installation) -> None:
    found = there.document("members", "Devices")
    assert (found["members"], found["missing"]) == ([], [])


def test_nested_groups_and_circles_are_opened_once(there: Installation) -> None:
    everybody = there.document("members", "Everything")["members"]
    assert len(everybody) == len({each["dn"] for each in everybody}) == people.HEADCOUNT + 1
    assert len(there.document("members", "Circle A")["members"]) == 2


def test_c56_groups_have_levels_and_the_primary_one_is_among_them(there: Installation) -> None:
    found = there.document("groups", "contractor1")["groups"]
    levels = {each["name"]: each["level"] for each in found}
    # The group that became primary is left; the former primary one has the user as a member (S55).
    assert levels == {ad_sample.PRIMARY_GROUP: 1, "Domain Users": 1, "Users": 2}


# Account states


@pytest.mark.parametrize("account", STATES)
def test_s20_to_s29_explain_says_what_the_state_of_the_account_is(
    there: Installation, account: Account
) -> None:
    found = there.explained(account.login, account.password)
    (bind,) = [step for step in found["steps"] if step["service"] == "authenticate"]
    (lookup,) = [step for step in found["steps"] if step["service"] == "resolve-login"]
    assert (found["state"], found["found"]["dn"]) == (MEANT[account.state].value, account.dn)
    assert bind["result"] == ": ".join(filter(None, (f"{account.right.code}", account.right.text)))
    assert (lookup["found"], f"(sAMAccountName={account.login})" in lookup["asked"]) == (1, True)
    assert "Account States" in {each["name"] for each in found["groups"]}
    assert "Name" in found["card"]
    assert account.password not in json.dumps(found)


@pytest.mark.parametrize("account", STATES)
def test_to_users_all_refusals_look_alike(there: Installation, account: Account) -> None:
    right = sign_in(there, account.login, account.password)
    unknown = sign_in(there, "x" * len(account.login), account.password)
    if account.state is AccountState.ACTIVE:
        assert right.code == 0
    else:
        shown = right.err.replace(account.login, "x" * len(account.login))
        assert (right.code, right.out, shown) == (1, unknown.out, unknown.err)


@pytest.mark.parametrize("state", [AccountState.MUST_CHANGE_PASSWORD, AccountState.PASSWORD_EXPIRED])
def test_an_expired_password_signs_in_only_if_the_settings_say_so(
    there: Installation, state: AccountState
) -> None:
    account = ad_sample.ACCOUNTS[state]
    allowed = {"STI__Directory__QUINTET_ALLOW_EXPIRED_PASSWORDS": "1"}
    arguments = ("authenticate", account.login, "--password-stdin")
    codes = [
        there.quintet(*arguments, typed=f"{password}\n", environ=environ).code
        for password, environ in (
            (account.password, None),
            (account.password, allowed),
            ("wrong", allowed),
        )
    ]
    assert codes == [1, 0, 1]


# Protection levels


@pytest.fixture
def level_kept(unencrypted: Installation) -> Iterator[Installation]:
    """The installation, which is at level "all" again afterwards."""
    yield unencrypted
    assert unencrypted.quintet("protect", "all", "--cards", "--yes").code == 0


def test_only_passwords_is_refused_with_the_one_way_out_that_active_directory_has(
    level_kept: Installation,
) -> None:
    ran = level_kept.quintet("protect", "passwords")
    assert ran.code != 0
    assert "quintet protect all" in ran.err
    assert "let the server offer SASL SCRAM" not in ran.err
    assert "let anonymous connections read" not in ran.err


@pytest.mark.parametrize(("level", "encrypted"), [("all", True), ("none", False)])
def test_s9_each_level_works_where_unencrypted_binds_are_taken(
    level_kept: Installation, level: str, encrypted: bool
) -> None:
    changed = level_kept.quintet("protect", level, "--cards", "--yes")
    rows = level_kept.document("connections")["connections"]
    assert changed.code == 0, changed.err
    assert {row["encrypted"] for row in rows if row["task"] in TASKS} == {encrypted}
    assert {row["state"] for row in rows} == {"connected"}
    assert sign_in(level_kept, "active", ACTIVE.password).code == 0


def test_only_passwords_works_where_the_account_may_be_shown(level_kept: Installation) -> None:
    allowed = {"STI__Directory__QUINTET_ALLOW_CLEAR_SERVICE_BIND": "1"}
    forced = level_kept.quintet("protect", "passwords", "--force", "--yes")
    assert forced.code == 0, forced.err
    rows = level_kept.document("connections", environ=allowed)["connections"]
    assert {row["task"] for row in rows if row["task"] in TASKS and row["encrypted"]} == {"authenticate"}
    found = level_kept.quintet(
        "authenticate", "active", "--password-stdin", typed=f"{ACTIVE.password}\n", environ=allowed
    )
    assert found.code == 0


def test_s9_unencrypted_binds_that_the_server_refuses_are_found_before_anything_is_written(
    there: Installation,
) -> None:
    before = (there.folder / "StCommunityConfig.xml").read_bytes()
    ran = there.quintet("protect", "none", "--cards", "--yes")
    assert ran.code != 0
    assert (there.folder / "StCommunityConfig.xml").read_bytes() == before
