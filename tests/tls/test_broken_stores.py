"""Stores that are damaged, cut off, or no stores at all: each is told as what it is."""

import os
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from quintet.secret import Secret
from quintet.tls.settings import StoreKind
from quintet.tls.stores import (
    DamagedStoreError,
    NotAStoreError,
    StoreError,
    StoreNotFoundError,
    StoreTooCostlyError,
    StoreUnreadableError,
    WrongStorePasswordError,
    WrongStoreTypeError,
    open_store,
    read_store,
)
from support.keytool import PASSWORD
from support.stores import CA, FORMS, IDS, LEAF, WRITTEN, ref


@pytest.mark.parametrize("form", FORMS, ids=IDS)
def test_a_truncated_store_is_told_from_a_wrong_password(form: tuple[StoreKind, bool]) -> None:
    data = WRITTEN[form]
    for kept in (30, len(data) // 2, len(data) - 1):
        with pytest.raises(DamagedStoreError):
            read_store(data[:kept], PASSWORD, form[0])


@given(st.binary(max_size=300))
@settings(max_examples=200)
def test_random_bytes_raise_nothing_but_store_errors(data: bytes) -> None:
    for start in (b"", b"\xfe\xed\xfe\xed", b"\xfe\xed\xfe\xed\0\0\0\2", b"\x30\x80\x02\x01\x03\x30\x80"):
        with pytest.raises(StoreError):
            read_store(start + data, PASSWORD)


@given(
    form=st.sampled_from([FORMS[0], FORMS[2]]),
    at=st.floats(0, 1, exclude_max=True),
    patch=st.binary(min_size=1, max_size=6),
    cut=st.booleans(),
)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_damaged_stores_raise_nothing_but_store_errors(
    form: tuple[StoreKind, bool], at: float, patch: bytes, cut: bool
) -> None:
    data = bytearray(WRITTEN[form])
    place = int(at * len(data))
    data[place : place + (0 if cut else len(patch))] = patch
    try:
        read_store(bytes(data), PASSWORD)
    except StoreError:
        return
    assert bytes(data).startswith(WRITTEN[form])


@pytest.mark.serial
def test_hostile_lengths_cost_nothing() -> None:
    entry = b"\0\0\0\2\0\1a" + b"\0" * 8 + b"\xff" * 4
    for count in (b"\xff" * 4, b"\0\0\0\1"):
        begun = time.monotonic()
        with pytest.raises((DamagedStoreError, StoreTooCostlyError)):
            read_store(b"\xfe\xed\xfe\xed\0\0\0\2" + count + entry + bytes(40), PASSWORD)
        assert time.monotonic() - begun < 1


def test_a_huge_file_is_refused() -> None:
    with pytest.raises(StoreTooCostlyError):
        read_store(b"\xfe\xed\xfe\xed" + bytes(4 * 1024 * 1024), PASSWORD)


def test_deep_nesting_is_refused() -> None:
    with pytest.raises(StoreError):
        read_store(b"\x30\x80" * 100_000, PASSWORD)


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"", "the file is empty"),
        (CA.pem, "PEM text with certificates"),
        (b"subject=CN=x\n" + CA.pem, "PEM text with certificates"),
        (LEAF.key_pem, "PEM text with a private key"),
        (CA.der, r"a single certificate \(DER\)"),
        (b"<!DOCTYPE html><html>", "a web page"),
        (b"\n<?xml version='1.0'?>", "a web page or XML"),
        (b"[Config]\nA=b\n", "it is text"),
        (b"\xce\xce\xce\xce\0\0\0\2", "a .jceks store"),
        (bytes(range(128, 200)), "neither a .p12 nor a .jks"),
    ],
    ids=["empty", "pem", "pem-bag", "key", "der", "html", "xml", "text", "jceks", "noise"],
)
def test_d4_what_is_no_store_is_named(tmp_path: Path, data: bytes, what: str) -> None:
    path = tmp_path / "trust.p12"
    path.write_bytes(data)
    with pytest.raises(NotAStoreError, match=what) as raised:
        open_store(ref(path))
    assert str(raised.value).startswith(f"{path}: ")
    assert raised.value.fix


def test_a_jks_named_p12_is_told_with_the_cure(tmp_path: Path) -> None:
    path = tmp_path / "trust.p12"
    path.write_bytes(WRITTEN[FORMS[2]])
    with pytest.raises(WrongStoreTypeError, match=r"it is a \.jks store.*_STORE_TYPE=jks"):
        open_store(ref(path))


def test_a_p12_named_jks_is_told_with_the_cure(tmp_path: Path) -> None:
    path = tmp_path / "trust.jks"
    path.write_bytes(WRITTEN[FORMS[0]])
    with pytest.raises(WrongStoreTypeError, match=r"it is a \.p12 store.*_STORE_TYPE=p12"):
        open_store(ref(path))


def test_d4_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(StoreNotFoundError, match="quintet trust fetch"):
        open_store(ref(tmp_path / "none.p12"))


def test_a_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(StoreUnreadableError):
        open_store(ref(tmp_path))


def test_a_pipe_in_its_place_is_told_and_nobody_waits_for_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "trust.p12")
    with pytest.raises(StoreUnreadableError):
        open_store(ref(tmp_path / "trust.p12"))


def test_a_file_without_permission_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(StoreUnreadableError):
        open_store(ref(tmp_path / "trust.p12"))


def test_the_password_is_never_in_an_error(tmp_path: Path) -> None:
    path = tmp_path / "trust.p12"
    path.write_bytes(WRITTEN[FORMS[0]])
    with pytest.raises(WrongStorePasswordError) as raised:
        open_store(ref(path, password=Secret("top-secret-words")))
    assert "top-secret-words" not in f"{raised.value!r}{raised.value}"
