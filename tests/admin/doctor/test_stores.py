"""Findings about stores and stashes, made by keytool as administrators make them."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from quintet.secret import Secret
from quintet.tls import new_store, save_store, write_stash
from support import certs, keytool
from support.slapd import Slapd

pytestmark = pytest.mark.real

Make = Callable[..., Path]
Edit = Callable[[Path, str, str], None]

PASSWORD_KEY = "STLDAP_TLS_TRUST_STORE_PASSWORD"
STASH_KEY = "STLDAP_TLS_TRUST_STORE_PASSWORD_STASH_FILE"


async def test_d1_a_store_of_a_new_keytool_is_told_for_sametime_only(make_folder: Make, doctor: Any) -> None:
    folder = make_folder()

    assert await doctor.codes(folder, for_sametime=True) == {"D1"}
    assert "keystore.pkcs12.legacy" in doctor.one("D1").fix
    assert await doctor.codes(folder) == set()


async def test_d1_an_old_store_is_good_for_sametime(
    make_folder: Make, slapd: Slapd, tmp_path: Path, doctor: Any
) -> None:
    store = keytool.trust_store(tmp_path / "old.p12", {"ldap": slapd.authority}, legacy=True)

    assert await doctor.codes(make_folder(store=store), for_sametime=True) == set()


def _missing(store: Path) -> None:
    store.unlink()


def _text(store: Path) -> None:
    store.write_text("-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n")


def _cut(store: Path) -> None:
    store.write_bytes(store.read_bytes()[:500])


@pytest.mark.parametrize("spoil", [_missing, _text, _cut])
async def test_d4_a_store_that_cannot_be_used(
    make_folder: Make, trust_store: Path, tmp_path: Path, doctor: Any, spoil: Callable[[Path], None]
) -> None:
    store = tmp_path / "store.p12"
    shutil.copyfile(trust_store, store)
    spoil(store)

    assert await doctor.codes(make_folder(store=store)) == {"D4", "Q90"}
    assert str(store) in doctor.one("D4").message


async def test_d4_a_store_without_certificates(make_folder: Make, tmp_path: Path, doctor: Any) -> None:
    store = tmp_path / "empty.p12"
    save_store(store, new_store(), keytool.PASSWORD)

    assert await doctor.codes(make_folder(store=store)) == {"D4", "Q90"}


async def test_d4_a_wrong_password(make_folder: Make, edit: Edit, doctor: Any) -> None:
    folder = make_folder()
    edit(folder / "sametime.ini", keytool.PASSWORD, "another-secret")
    edit(folder / "UserInfoConfig.xml", keytool.PASSWORD, "another-secret")

    assert await doctor.codes(folder) == {"D4", "Q90"}
    assert "another-secret" not in repr(doctor.found)


async def test_d7_the_password_in_ssl_properties_differs(make_folder: Make, edit: Edit, doctor: Any) -> None:
    folder = make_folder()
    edit(folder / "UserInfoConfig.xml", keytool.PASSWORD, "another-secret")

    assert await doctor.codes(folder) == {"D7", "Q90"}


async def test_d7_the_store_in_ssl_properties_holds_another_certificate(
    make_folder: Make, edit: Edit, trust_store: Path, tmp_path: Path, doctor: Any
) -> None:
    other = keytool.trust_store(tmp_path / "other.p12", {"other": certs.authority("Other CA")})
    folder = make_folder()
    edit(folder / "UserInfoConfig.xml", str(trust_store), str(other))

    assert await doctor.codes(folder) == {"D7", "Q90"}


def _stashed(make_folder: Make, edit: Edit, stash: Path) -> Path:
    folder = make_folder(config={STASH_KEY: str(stash)})
    edit(folder / "sametime.ini", f"{PASSWORD_KEY}={keytool.PASSWORD}\n", "")
    return folder


async def test_a_stash_in_order_is_no_finding(
    make_folder: Make, edit: Edit, tmp_path: Path, doctor: Any
) -> None:
    stash = tmp_path / "store.sth"
    write_stash(stash, Secret(keytool.PASSWORD))

    assert await doctor.codes(_stashed(make_folder, edit, stash)) == set()


async def test_d35_others_can_read_the_stash(
    make_folder: Make, edit: Edit, tmp_path: Path, doctor: Any
) -> None:
    stash = tmp_path / "store.sth"
    write_stash(stash, Secret(keytool.PASSWORD))
    stash.chmod(0o644)

    assert await doctor.codes(_stashed(make_folder, edit, stash)) == {"D35"}


async def test_d35_the_stash_is_not_there(make_folder: Make, edit: Edit, tmp_path: Path, doctor: Any) -> None:
    assert await doctor.codes(_stashed(make_folder, edit, tmp_path / "no.sth")) == {"D35", "Q90"}


async def test_d35_the_stash_is_older_than_the_store(make_folder: Make, tmp_path: Path, doctor: Any) -> None:
    stash = tmp_path / "store.sth"
    write_stash(stash, Secret("old-secret"))

    assert await doctor.codes(make_folder(config={STASH_KEY: str(stash)})) == {"D35"}


async def test_d35_the_clear_password_is_still_there(make_folder: Make, tmp_path: Path, doctor: Any) -> None:
    stash = tmp_path / "store.sth"
    write_stash(stash, Secret(keytool.PASSWORD))

    assert await doctor.codes(make_folder(config={STASH_KEY: str(stash)})) == {"D35"}


async def test_d40_a_certificate_in_the_store_ends_soon(
    make_folder: Make, slapd: Slapd, tmp_path: Path, doctor: Any
) -> None:
    soon = certs.authority("Ends Soon CA", ends=12)
    store = keytool.trust_store(tmp_path / "store.p12", {"ldap": slapd.authority, "soon": soon})

    assert await doctor.codes(make_folder(store=store)) == {"D40"}
    assert "in 11 days" in doctor.one("D40").message
