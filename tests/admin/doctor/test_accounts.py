"""Findings about the accounts that connections bind with."""

import base64
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from quintet.embedded import sample
from support.folder import settings_folder
from support.slapd import Slapd

pytestmark = pytest.mark.real

Make = Callable[..., Path]
Edit = Callable[[Path, str, str], None]

IN_COMMUNITY = f'BindEntryPassword="{sample.READER_PASSWORD}"'


async def test_d9_a_wrong_password(make_folder: Make, doctor: Any) -> None:
    assert await doctor.codes(make_folder(account=(sample.READER, "wrong-secret"))) == {"D9", "Q90"}
    assert "wrong-secret" not in repr(doctor.found)
    assert "BindEntryPwd" in doctor.one("D9").fix


async def test_d9_a_wrong_password_is_tried_once(make_folder: Make, slapd: Slapd, doctor: Any) -> None:
    before = slapd.log().count("RESULT tag=97 err=49")

    await doctor.codes(make_folder(account=(sample.READER, "wrong-secret")))

    assert slapd.log().count("RESULT tag=97 err=49") == before + 1


async def test_d11_base64_where_clear_text_belongs(make_folder: Make, edit: Edit, doctor: Any) -> None:
    encoded = base64.b64encode(sample.READER_PASSWORD.encode()).decode()
    folder = make_folder()
    edit(folder / "StCommunityConfig.xml", IN_COMMUNITY, f'BindEntryPassword="{encoded}"')

    assert await doctor.codes(folder) == {"D11", "Q90"}
    assert encoded not in repr(doctor.found)


async def test_d12_the_password_was_changed_in_one_file_only(
    make_folder: Make, edit: Edit, doctor: Any
) -> None:
    folder = make_folder()
    edit(folder / "StCommunityConfig.xml", IN_COMMUNITY, 'BindEntryPassword="last years secret"')

    assert await doctor.codes(folder) == {"D12", "Q90"}
    assert "UserInfoConfig.xml" in doctor.one("D12").found


async def test_d36_only_passwords_with_an_account(make_folder: Make, doctor: Any) -> None:
    assert await doctor.codes(make_folder(level="passwords")) == {"D36"}


@pytest.mark.parametrize("allowed", [True, False])
async def test_q120_users_may_not_read_their_own_entries(
    tmp_path: Path, make_slapd: Callable[..., Slapd], doctor: Any, *, allowed: bool
) -> None:
    server = make_slapd(self_read=allowed)
    bind = {"QUINTET_ALLOW_CLEAR_SERVICE_BIND": "1"}
    for level, told in (("passwords", not allowed), ("all", False)):
        found = await doctor.codes(settings_folder(tmp_path / level, server, level=level, directory=bind))
        assert ("Q120" in found) == told


async def test_d36_the_account_shown_on_purpose(make_folder: Make, doctor: Any) -> None:
    allowed = make_folder(level="passwords", directory={"QUINTET_ALLOW_CLEAR_SERVICE_BIND": "1"})

    assert await doctor.codes(allowed) == {"D36"}


async def test_nothing_encrypted_is_told(make_folder: Make, doctor: Any) -> None:
    assert await doctor.codes(make_folder(level="none", cards_encrypted=False)) == {"Q14"}
    assert "--cards" in doctor.one("Q14").fix


async def test_the_account_may_not_be_shown_and_nothing_else_works(
    small_folder: Make, make_slapd: Callable[..., Slapd], doctor: Any
) -> None:
    server = make_slapd(anonymous_read=False)

    assert await doctor.codes(small_folder(server, level="passwords")) == {"D36", "Q90"}
