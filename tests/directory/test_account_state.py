"""What the answers of real servers to a bind mean, and what none of them says."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quintet.directory.account_state import AccountState, state_of
from quintet.ldap import (
    Control,
    PasswordExpired,
    PasswordExpiring,
    PasswordPolicyReason,
    PasswordPolicyResult,
)
from support import accounts, ad_sample, dirsrv_sample
from support.accounts import Account

REAL = accounts.AccountState
MEANT = {
    REAL.ACTIVE: AccountState.ACTIVE,
    REAL.DISABLED: AccountState.DISABLED,
    REAL.LOCKED: AccountState.LOCKED,
    REAL.EXPIRED: AccountState.EXPIRED,
    REAL.PASSWORD_EXPIRED: AccountState.PASSWORD_EXPIRED,
    REAL.PASSWORD_EXPIRING: AccountState.PASSWORD_EXPIRING,
    REAL.GRACE: AccountState.GRACE,
    REAL.MUST_CHANGE_PASSWORD: AccountState.MUST_CHANGE_PASSWORD,
    REAL.OUTSIDE_LOGON_HOURS: AccountState.OUTSIDE_HOURS,
    REAL.WRONG_WORKSTATION: AccountState.WRONG_WORKSTATION,
    REAL.SMART_CARD_REQUIRED: AccountState.WRONG_PASSWORD,
    REAL.NO_PASSWORD: AccountState.WRONG_PASSWORD,
    REAL.INACTIVE: AccountState.INACTIVE,
}
SERVERS = [
    pytest.param(account, id=f"{name}-{account.login}")
    for name, sample in (("ad", ad_sample.ACCOUNTS), ("389", dirsrv_sample.ACCOUNTS))
    for account in sample.values()
]
REASONS = {
    "accountLocked": PasswordPolicyResult(reason=PasswordPolicyReason.ACCOUNT_LOCKED),
    "passwordExpired": PasswordPolicyResult(reason=PasswordPolicyReason.PASSWORD_EXPIRED),
    "changeAfterReset": PasswordPolicyResult(reason=PasswordPolicyReason.CHANGE_AFTER_RESET),
    "timeBeforeExpiration": PasswordPolicyResult(expires_in=60),
    "graceAuthNsRemaining": PasswordPolicyResult(grace_logins=2),
}
NETSCAPE = {PasswordExpired.OID: PasswordExpired(), PasswordExpiring.OID: PasswordExpiring(60)}


def controls_of(answer: accounts.BindAnswer, *, policy: bool) -> tuple[Control, ...]:
    """The answer's controls, with that of a request that asked for the password policy."""
    asked = tuple(REASONS[word] for word in answer.policy) if policy else ()
    return (*asked, *(NETSCAPE[oid] for oid in answer.controls))


@pytest.mark.parametrize("account", SERVERS)
def test_each_state_of_a_real_server_is_told_by_the_answer_to_the_right_password(account: Account) -> None:
    answer = account.right
    controls = controls_of(answer, policy=True)
    assert state_of(answer.code, answer.text, controls) is MEANT[account.state]


@pytest.mark.parametrize("account", SERVERS)
def test_a_wrong_password_never_says_that_it_was_right(account: Account) -> None:
    answer = account.wrong
    state = state_of(answer.code, answer.text, controls_of(answer, policy=True))
    assert not state.password_was_right


def test_without_the_password_policy_control_a_change_that_is_due_is_told_by_netscapes() -> None:
    account = dirsrv_sample.ACCOUNTS[REAL.MUST_CHANGE_PASSWORD]
    answer = account.right
    state = state_of(answer.code, answer.text, controls_of(answer, policy=False))
    assert (answer.code, state) == (0, AccountState.MUST_CHANGE_PASSWORD)
    assert not state.signs_in


@pytest.mark.parametrize(
    ("code", "word", "state"),
    [
        (49, "accountLocked", AccountState.LOCKED),
        (49, "passwordExpired", AccountState.PASSWORD_EXPIRED),
        (0, "changeAfterReset", AccountState.MUST_CHANGE_PASSWORD),
        (0, "graceAuthNsRemaining", AccountState.GRACE),
        (0, "timeBeforeExpiration", AccountState.PASSWORD_EXPIRING),
    ],
)
def test_a_server_that_sends_only_the_policy_control_is_understood(
    code: int, word: str, state: AccountState
) -> None:
    assert state_of(code, "", (REASONS[word],)) is state


@pytest.mark.parametrize(
    ("data", "state"),
    [
        ("525", AccountState.NO_ACCOUNT),
        ("52f", AccountState.RESTRICTED),
        ("534", AccountState.RESTRICTED),
        ("9999", AccountState.UNKNOWN),
    ],
)
def test_codes_that_only_windows_sends_are_known_and_others_are_not_guessed(
    data: str, state: AccountState
) -> None:
    text = f"80090308: LdapErr: DSID-0C090447, comment: AcceptSecurityContext error, data {data}, v3839\0"
    assert state_of(49, text) is state


@pytest.mark.parametrize("code", [7, 8, 13, 48, 50, 51, 52, 53, 80])
def test_a_refusal_without_words_is_unknown(code: int) -> None:
    assert state_of(code) is AccountState.UNKNOWN


def test_a_text_counts_only_with_its_result_code() -> None:
    assert state_of(49, "Account inactivated. Contact system administrator.") is AccountState.WRONG_PASSWORD
    assert state_of(53, "password expired!") is AccountState.UNKNOWN


def test_malformed_controls_count_as_absent() -> None:
    broken = (Control(PasswordPolicyResult.OID, value=b"\x30\x84"), Control(PasswordExpiring.OID, value=b"x"))
    assert state_of(0, "", broken) is AccountState.ACTIVE
    assert state_of(49, "", broken) is AccountState.WRONG_PASSWORD


@given(st.integers(1, 200), st.text())
def test_no_refusal_signs_in(code: int, text: str) -> None:
    assert not state_of(code, text).signs_in


def test_every_state_has_a_meaning_of_its_own() -> None:
    assert len({state.meaning for state in AccountState}) == len(AccountState)
