"""Compound fields: what crashes clients is never sent."""

import pytest
from hypothesis import given

from quintet.sametime.errors import UnencodableValueError
from quintet.sametime.wire.blocks import (
    INVISIBLE,
    VISIBLE_TO_ALL,
    AwareId,
    LoginInfo,
    PrivacyInfo,
    UserItem,
)
from quintet.sametime.wire.codec import WireReader
from support.sametime_values import brief_logins, full_logins, privacy_infos


@given(brief_logins)
def test_a_brief_login_ends_after_the_flag(login: LoginInfo) -> None:
    data = login.encode()
    assert data[-1] == 0
    assert LoginInfo.read(WireReader(data)) == login


@given(full_logins)
def test_a_full_login_has_three_more_fields(login: LoginInfo) -> None:
    assert LoginInfo.read(WireReader(login.encode())) == login


@given(privacy_infos)
def test_a_privacy_list_is_read_as_it_was_written(privacy: PrivacyInfo) -> None:
    assert PrivacyInfo.read(WireReader(privacy.encode())) == privacy


def test_the_two_extreme_privacy_lists_are_empty() -> None:
    assert VISIBLE_TO_ALL.encode() == b"\x01\0\0\0\0"
    assert INVISIBLE.encode() == b"\x00\0\0\0\0"


def test_a_user_on_a_privacy_list_has_a_name_only_if_it_says_so() -> None:
    assert UserItem("eve", "", None).encode() == b"\x00\x00\x03eve\x00\x00"
    assert UserItem("eve", "", "").encode() == b"\x01\x00\x03eve\x00\x00\x00\x00"


@pytest.mark.parametrize("login_id", ["", "7F00"])
def test_a_login_id_of_fewer_than_5_bytes_is_not_fit_to_send(login_id: str) -> None:
    with pytest.raises(UnencodableValueError):
        LoginInfo(login_id, 0x1700, "uid=alice", "Alice").check_fit_to_send()


def test_a_login_without_a_user_id_is_not_fit_to_send() -> None:
    with pytest.raises(UnencodableValueError):
        LoginInfo("7F000001", 0x1700, "", "Alice").check_fit_to_send()


def test_a_login_id_of_5_bytes_is_fit_to_send() -> None:
    LoginInfo("7F00ü", 0x1700, "uid=alice", "Alice").check_fit_to_send()
    LoginInfo("7F0ü", 0x1700, "uid=alice", "Alice").check_fit_to_send()


def test_presence_of_an_empty_id_is_never_sent() -> None:
    with pytest.raises(UnencodableValueError):
        AwareId(2, "").encode()


def test_an_empty_id_from_a_client_can_be_read() -> None:
    assert AwareId.read(WireReader(b"\x00\x02\x00\x00\x00\x00")) == AwareId(2, "")
