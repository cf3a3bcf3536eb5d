"""Quintet on a real 389 Directory Server, used as administrators and users use it: by its commands."""

import json
from collections.abc import Iterator

import pytest

from quintet.directory.account_state import AccountState as State
from quintet.directory.services import TASKS as DIRECTORY_TASKS
from support import dirsrv_sample, people
from support.accounts import Account, AccountState
from support.command import Ran
from support.dirsrv import DirectoryServer389
from support.setting_up import Installation, set_up

pytestmark = pytest.mark.real

ACCOUNTS = dirsrv_sample.ACCOUNTS
ACTIVE = ACCOUNTS[AccountState.ACTIVE]
MEANT = {
    AccountState.ACTIVE: State.ACTIVE,
    AccountState.DISABLED: State.DISABLED,
    AccountState.LOCKED: State.LOCKED,
    AccountState.PASSWORD_EXPIRED: State.PASSWORD_EXPIRED,
    AccountState.PASSWORD_EXPIRING: State.PASSWORD_EXPIRING,
    AccountState.GRACE: State.GRACE,
    AccountState.MUST_CHANGE_PASSWORD: State.MUST_CHANGE_PASSWORD,
    AccountState.INACTIVE: State.INACTIVE,
    AccountState.NO_PASSWORD: State.WRONG_PASSWORD,
}
STATES = [pytest.param(account, id=account.login) for account in ACCOUNTS.values()]
TASKS = {service.value for service in DIRECTORY_TASKS}
CLASSES = {"groupOfNames", "groupOfUniqueNames", "group", "posixGroup"}


@pytest.fixture(scope="module")
def there(dirsrv: DirectoryServer389, tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """What `init --yes` makes, without an edit."""
    folder = tmp_path_factory.mktemp("389") / "settings"
    ports = (dirsrv.port, dirsrv.ldaps_port)
    return set_up(folder, "127.0.0.1", dirsrv.ca, dirsrv.service, ports=ports)


def sign_in(there: Installation, name: str, password: str) -> Ran:
    return there.quintet("authenticate", name, "--password-stdin", typed=f"{password}\n")


# init and doctor


def test_s151_init_proposes_groups_of_all_classes_together(there: Installation) -> None:
    assert there.ran.code == 0, there.ran.err
    settings = there.ran.document["settings"]
    assert set(settings["group_class"].split(",")) == CLASSES
    assert set(settings["member_attribute"].split(",")) == {"member", "uniqueMember", "memberUid"}


def test_doctor_finds_no_error_and_no_group_that_is_left_out(there: Installation) -> None:
    ran = there.quintet("doctor", "--json")
    findings = json.loads(ran.out)
    findings = findings["findings"] if isinstance(findings, dict) else findings
    assert ran.code == 0
    assert not [each for each in findings if each["severity"] == "error"]
    assert "D22" not in {each["code"] for each in findings}


def test_doctor_says_which_groups_the_settings_leave_out(there: Installation) -> None:
    file = there.folder / "StCommunityConfig.xml"
    before = file.read_text()
    whole = there.ran.document["settings"]["group_class"]
    file.write_text(before.replace(f'GroupObjectClass="{whole}"', 'GroupObjectClass="groupOfNames"'))
    try:
        ran = there.quintet("doctor", "--json")
    finally:
        file.write_text(before)
    findings = json.loads(ran.out)
    findings = findings["findings"] if isinstance(findings, dict) else findings
    (left_out,) = [each for each in findings if each["code"] == "D22"]
    assert all(name in left_out["fix"] for name in CLASSES)


# The tasks


@pytest.mark.parametrize("name", ["active", "active@example.org"])
def test_a_user_signs_in_by_login_name_and_mail(there: Installation, name: str) -> None:
    assert sign_in(there, name, ACTIVE.password).code == 0


@pytest.mark.parametrize("name", ["active", "active@example.org", "State Active", ACTIVE.dn])
def test_a_card_is_found_by_login_name_mail_name_and_dn(there: Installation, name: str) -> None:
    assert there.quintet("card", name).code == 0


def test_s151_groups_of_all_classes_are_browsed_and_found(there: Installation) -> None:
    entries = there.document("browse", dirsrv_sample.GROUPS)["entries"]
    shown = {each["name"] for each in entries if each["kind"] == "group"}
    wanted = {"Engineering", "Sales", "unix", "both", "like AD", "Empty"}
    assert wanted <= shown
    for name in ("Everything", "unix", "like AD"):
        found = there.document("resolve", name, "--groups")["matches"]
        assert name in {each["name"] for each in found}


@pytest.mark.parametrize(
    ("group", "count"),
    [
        ("Everything", people.HEADCOUNT + 1),
        ("unix", 5),
        ("both", 2),
        ("like AD", 2),
        ("Empty", 0),
        ("Own Member", 0),
        ("Circle A", 2),
        ("Unique Identifiers", 2),
        ("Odd Names", len(people.ODD_NAMES)),
    ],
)
def test_s151_groups_of_each_class_are_opened(there: Installation, group: str, count: int) -> None:
    found = there.document("members", group)
    assert (len(found["members"]), found["missing"]) == (count, [])


def test_c56_groups_through_classes_have_levels(there: Installation) -> None:
    found = there.document("groups", people.staff_login(4))["groups"]
    levels = {each["name"]: each["level"] for each in found}
    department = dirsrv_sample.DEPARTMENTS[4]
    assert [levels[name] for name in (department, "All Employees", "Everything")] == [1, 2, 3]


# Account states


@pytest.mark.parametrize("account", STATES)
def test_s120_to_s130_explain_says_what_the_state_of_the_account_is(
    there: Installation, account: Account
) -> None:
    found = there.explained(account.login, account.password)
    (bind,) = [step for step in found["steps"] if step["service"] == "authenticate"]
    assert (found["state"], found["found"]["dn"]) == (MEANT[account.state].value, account.dn)
    assert bind["result"] == ": ".join(filter(None, (f"{account.right.code}", account.right.text)))
    assert (found["person"] is not None) == MEANT[account.state].signs_in
    assert account.password not in json.dumps(found)


def test_s128_a_password_that_must_be_changed_signs_in_only_if_the_settings_say_so(
    there: Installation,
) -> None:
    account = ACCOUNTS[AccountState.MUST_CHANGE_PASSWORD]
    allowed = {"STI__Directory__QUINTET_ALLOW_EXPIRED_PASSWORDS": "1"}
    arguments = ("authenticate", account.login, "--password-stdin")
    typed = f"{account.password}\n"
    assert there.quintet(*arguments, typed=typed).code == 1
    assert there.quintet(*arguments, typed=typed, environ=allowed).code == 0


@pytest.mark.parametrize("state", [AccountState.DISABLED, AccountState.INACTIVE, AccountState.NO_PASSWORD])
def test_to_users_refusals_look_alike(there: Installation, state: AccountState) -> None:
    account = ACCOUNTS[state]
    unknown = "x" * len(account.login)
    right, other = sign_in(there, account.login, account.password), sign_in(there, unknown, account.password)
    assert (right.code, right.out) == (other.code, other.out) == (1, "")
    assert right.err.replace(account.login, unknown) == other.err


# Protection levels


@pytest.fixture
def level_kept(there: Installation) -> Iterator[Installation]:
    """The installation, which is at level "all" again afterwards."""
    yield there
    assert there.quintet("protect", "all", "--cards", "--yes").code == 0


@pytest.mark.parametrize(
    ("level", "encrypted"), [("all", TASKS), ("passwords", {"authenticate"}), ("none", set())]
)
def test_each_level_works(level_kept: Installation, level: str, encrypted: set[str]) -> None:
    changed = level_kept.quintet("protect", level, "--cards", "--yes")
    assert changed.code == 0, changed.err
    rows = level_kept.document("connections")["connections"]
    assert {row["task"] for row in rows if row["encrypted"] and row["task"] in TASKS} == encrypted
    assert sign_in(level_kept, "active", ACTIVE.password).code == 0
