"""Cipher suites by every spelling of config 2.6."""

import re
import shutil
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quintet.tls.suites import SUITES, CipherSuiteError, Signal, find_suite, suite_by_openssl_name


@pytest.mark.parametrize(
    "text",
    [
        "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
        "SSL_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
        "ECDHE_RSA_WITH_AES_256_GCM_SHA384",
        "ECDHE_RSA_AES_256_GCM_SHA384",
        "TLS_ECDHE_RSA_AES_256_GCM_SHA384",
        "tls-ecdhe-rsa-with-aes-256-gcm-sha384",
        "ECDHE-RSA-AES256-GCM-SHA384",
        "ecdhe-rsa-aes256-gcm-sha384",
        "0xC030",
        "0xc030",
        " 0XC030 ",
        "0x0000c030",
    ],
)
def test_c29_every_spelling_names_the_suite(text: str) -> None:
    assert find_suite(text).openssl == "ECDHE-RSA-AES256-GCM-SHA384"


@pytest.mark.parametrize("text", ["0x009D", "0x9d", "RSA_WITH_AES_256_GCM_SHA384", "AES256-GCM-SHA384"])
def test_c30_the_suite_of_sametime_is_not_taken_for_that_of_tls_1_3(text: str) -> None:
    assert find_suite(text).code == 0x009D


@pytest.mark.parametrize("text", ["TLS_AES_256_GCM_SHA384", "AES_256_GCM_SHA384", "0x1302"])
def test_suites_of_tls_1_3_are_known(text: str) -> None:
    assert find_suite(text).is_13


def test_no_spelling_names_two_suites() -> None:
    for suite in SUITES:
        for text in (suite.name, suite.openssl, hex(suite.code), suite.name.replace("WITH_", "")):
            assert find_suite(text) is suite
        assert suite_by_openssl_name(suite.openssl) is suite


@pytest.mark.parametrize(
    "text",
    ["TLS_RSA_WITH_3DES_EDE_CBC_SHA", "0x000A", "DES-CBC3-SHA", "RC4-MD5", "SSL_RSA_EXPORT_WITH_RC4_40_MD5"],
)
def test_suites_that_no_library_offers_today_are_known_but_refused(text: str) -> None:
    with pytest.raises(CipherSuiteError, match="insecure"):
        find_suite(text)


@pytest.mark.parametrize(
    "text", ["TLS_EMPTY_RENEGOTIATION_INFO_SCSV", "0x00FF", "tls-fallback-scsv", "0x5600"]
)
def test_c29_what_is_in_lists_without_being_a_suite_is_told_from_an_unknown_name(text: str) -> None:
    with pytest.raises(Signal, match="signalling value"):
        find_suite(text)


def test_c29_an_unknown_name_is_an_error_with_the_nearest() -> None:
    with pytest.raises(CipherSuiteError) as raised:
        find_suite("TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA348")
    assert "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384" in raised.value.fix


@given(st.text(max_size=200))
def test_any_text_is_a_suite_or_a_readable_error(text: str) -> None:
    try:
        found = find_suite(text)
    except CipherSuiteError as error:
        message = str(error)
    else:
        message = found.name
    assert message.isprintable()


@pytest.mark.real
def test_the_table_agrees_with_openssl() -> None:
    openssl = shutil.which("openssl")
    assert openssl
    listed = subprocess.run(
        [openssl, "ciphers", "-V", "-stdname", "ALL:@SECLEVEL=0"], capture_output=True, text=True, check=True
    ).stdout
    row = re.compile(r"0x(\w\w),0x(\w\w) - (\S+)\s+- (\S+)")
    known = {int(a + b, 16): (name, ours) for a, b, name, ours in row.findall(listed)}
    assert {suite.code: (suite.name, suite.openssl) for suite in SUITES}.items() <= known.items()
