"""The TLS keys of config 2.3 to 2.8, from texts with their origins to a profile."""

import ipaddress
import ssl
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quintet.diagnostics import Place
from quintet.secret import Secret
from quintet.tls import settings as module
from quintet.tls.names import Names, is_listed
from quintet.tls.settings import (
    Origin,
    SecurityLevel,
    StoreKind,
    StoreLocation,
    TlsProblem,
    TlsSettings,
    read_tls_settings,
    version_name,
)

BASE = Path("/settings")
V1_0, V1_2, V1_3 = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
KEYS = [
    *(f"TLS_{which}_STORE_{part}" for which in ("TRUST", "KEY") for part in ("FILE", "TYPE", "PASSWORD")),
    *(f"TLS_{which}_STORE_PASSWORD_STASH_FILE" for which in ("TRUST", "KEY")),
    *("TLS_KEY_LABEL", "TLS_FIPS_COMPLIANCE", "TLS_SECURITY_LEVEL", "TLS_CIPHER_SUITES"),
    *("TLS_MIN_PROTOCOL_VERSION", "TLS_MAX_PROTOCOL_VERSION", "TLS_TRUSTED_HOSTS"),
]


def resolve(prefix: str = "STLDAP_", **keys: str) -> tuple[TlsSettings, tuple[TlsProblem, ...]]:
    """Keys as keyword arguments without "TLS_"; "ST__" before one gives it the global scope."""
    values: dict[str, tuple[str, Origin]] = {}
    for name, text in keys.items():
        scope, bare = ("ST_", name.removeprefix("ST__")) if name.startswith("ST__") else (prefix, name)
        values[f"TLS_{bare}"] = (text, Origin(f"{scope}TLS_{bare}", Place("sametime.ini", 7)))
    return read_tls_settings(values.get, base=BASE)


def good(**keys: str) -> TlsSettings:
    profile, problems = resolve(**keys)
    assert problems == ()
    return profile


def fatal(**keys: str) -> tuple[str, str]:
    """Code and key of the one fatal problem."""
    (problem,) = [each for each in resolve(**keys)[1] if each.fatal]
    assert problem.origin is not None
    assert problem.message
    assert problem.fix
    return problem.code, problem.key


def warning(**keys: str) -> tuple[str, str]:
    """Code and key of the one problem, which is not fatal."""
    (problem,) = resolve(**keys)[1]
    assert not problem.fatal
    return problem.code, problem.key


def test_c27_nothing_set_is_tls_1_2_and_1_3_with_our_suites() -> None:
    assert good() == TlsSettings(minimum=V1_2, maximum=V1_3)


def test_c27_blank_is_the_default() -> None:
    assert (
        good(MIN_PROTOCOL_VERSION=" ", MAX_PROTOCOL_VERSION="", CIPHER_SUITES=" ", SECURITY_LEVEL="")
        == good()
    )


def test_c20_the_trust_store_trio_is_enough() -> None:
    found = good(TRUST_STORE_TYPE="p12", TRUST_STORE_FILE="trust.p12", TRUST_STORE_PASSWORD="pw")
    assert found.trust_store == StoreLocation(BASE / "trust.p12", StoreKind.PKCS12, Secret("pw"))
    assert found.key_store is None


@pytest.mark.parametrize(
    ("text", "kind"),
    [("p12", "p12"), ("P12", "p12"), ("pfx", "p12"), ("PKCS12", "p12"), ("jks", "jks"), ("JKS", "jks")],
)
def test_c18_types_are_taken_in_every_spelling(text: str, kind: str) -> None:
    found = good(TRUST_STORE_TYPE=text, TRUST_STORE_FILE="/x/store", TRUST_STORE_PASSWORD="pw").trust_store
    assert found == StoreLocation(Path("/x/store"), StoreKind(kind), Secret("pw"))


@pytest.mark.parametrize(
    ("file", "kind"), [("a.p12", "p12"), ("a.PFX", "p12"), ("a.JKS", "jks"), ("a", "p12")]
)
def test_without_a_type_the_name_tells(file: str, kind: str) -> None:
    found = good(TRUST_STORE_FILE=file, TRUST_STORE_PASSWORD="pw").trust_store
    assert found is not None
    assert found.kind is StoreKind(kind)


def test_an_unknown_type_is_an_error() -> None:
    keys = {"TRUST_STORE_TYPE": "pem", "TRUST_STORE_FILE": "a", "TRUST_STORE_PASSWORD": "pw"}
    assert fatal(**keys) == ("T301", "TLS_TRUST_STORE_TYPE")


def test_c26_stash_paths_count_from_the_base_unless_absolute() -> None:
    found = good(TRUST_STORE_FILE="a.p12", TRUST_STORE_PASSWORD_STASH_FILE="a.sth")
    assert found.trust_store is not None
    assert found.trust_store.stash == BASE / "a.sth"
    found = good(TRUST_STORE_FILE="a.p12", TRUST_STORE_PASSWORD_STASH_FILE="/b/a.sth")
    assert found.trust_store is not None
    assert found.trust_store.stash == Path("/b/a.sth")


def test_a_password_is_taken_as_it_is() -> None:
    found = good(TRUST_STORE_FILE="a.p12", TRUST_STORE_PASSWORD=" pw ").trust_store
    assert found is not None
    assert found.password == Secret(" pw ")


def test_a_store_may_have_no_password() -> None:
    found = good(TRUST_STORE_FILE="a.p12").trust_store
    assert found is not None
    assert found.password is None


def test_a_password_without_a_file_is_told() -> None:
    assert warning(KEY_STORE_PASSWORD="x") == ("T302", "TLS_KEY_STORE_PASSWORD")


def test_c16_a_file_and_a_password_of_different_scopes_are_told() -> None:
    told = warning(TRUST_STORE_FILE="a.p12", ST__TRUST_STORE_PASSWORD="pw")
    assert told == ("T303", "TLS_TRUST_STORE_PASSWORD")


def test_d5_the_origin_of_every_value_is_kept() -> None:
    origins = good(TRUST_STORE_FILE="a.p12", TRUST_STORE_PASSWORD="pw", SECURITY_LEVEL="0").origins
    assert {name: origin.key for name, origin in origins.items()} == {
        "trust_store": "STLDAP_TLS_TRUST_STORE_FILE",
        "trust_store_password": "STLDAP_TLS_TRUST_STORE_PASSWORD",
        "level": "STLDAP_TLS_SECURITY_LEVEL",
    }


@pytest.mark.parametrize("text", ["0x303", "0X303", "771", "0x0303"])
def test_c28_versions_are_taken_in_hexadecimal_and_decimal(text: str) -> None:
    found = good(MIN_PROTOCOL_VERSION=text, MAX_PROTOCOL_VERSION=text)
    assert (found.minimum, found.maximum) == (V1_2, V1_2)


def test_c27_the_cap_at_1_2_is_honoured_and_1_3_is_our_extension() -> None:
    assert good(MAX_PROTOCOL_VERSION="0x303").maximum is V1_2
    assert good(MAX_PROTOCOL_VERSION="0x304").maximum is V1_3


@pytest.mark.parametrize("key", ["MIN_PROTOCOL_VERSION", "MAX_PROTOCOL_VERSION"])
def test_c28_sslv3_is_an_error_that_names_the_key(key: str) -> None:
    assert fatal(**{key: "0x300"}) == ("T304", f"TLS_{key}")


@pytest.mark.parametrize("text", ["0x305", "TLSv1.2", "-1", "0x", "3.3"])
def test_c28_no_other_version_is_taken(text: str) -> None:
    assert fatal(MIN_PROTOCOL_VERSION=text) == ("T304", "TLS_MIN_PROTOCOL_VERSION")


@pytest.mark.parametrize("key", ["MIN_PROTOCOL_VERSION", "MAX_PROTOCOL_VERSION"])
def test_c90_version_0_of_the_9_x_library_is_the_default_with_a_warning(key: str) -> None:
    assert warning(**{key: "0"}) == ("T304", f"TLS_{key}")
    assert resolve(**{key: "0"})[0] == good()


def test_c28_minimum_above_maximum_is_an_error() -> None:
    told = fatal(MIN_PROTOCOL_VERSION="0x304", MAX_PROTOCOL_VERSION="0x303")
    assert told == ("T305", "TLS_MIN_PROTOCOL_VERSION")


def test_c28_tls_1_0_is_taken_with_a_warning() -> None:
    assert warning(MIN_PROTOCOL_VERSION="0x301") == ("T306", "TLS_MIN_PROTOCOL_VERSION")
    assert resolve(MIN_PROTOCOL_VERSION="0x301")[0].minimum is V1_0


def test_c29_suites_are_mapped_in_their_order_and_without_blanks() -> None:
    found = good(
        CIPHER_SUITES="RSA_WITH_AES_128_CBC_SHA , TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,0x1302,, AES128-SHA"
    )
    assert found.suites == ("AES128-SHA", "ECDHE-RSA-AES256-GCM-SHA384")
    assert found.suites_13 == ("TLS_AES_256_GCM_SHA384",)


def test_c29_every_unknown_suite_is_told() -> None:
    _, problems = resolve(CIPHER_SUITES="NOPE,AES128-SHA,RC4-MD5")
    assert [problem.fatal for problem in problems] == [True, True]


def test_c31_a_list_without_suites_of_1_3_keeps_to_1_2() -> None:
    assert good(CIPHER_SUITES="TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384").maximum is V1_2


def test_a_list_of_suites_of_1_3_alone_keeps_to_1_3() -> None:
    assert good(CIPHER_SUITES="TLS_AES_256_GCM_SHA384").minimum is V1_3


def test_suites_that_no_allowed_version_has_are_an_error() -> None:
    told = ("T308", "TLS_CIPHER_SUITES")
    assert fatal(CIPHER_SUITES="0x1302", MAX_PROTOCOL_VERSION="0x303") == told
    only = {"MIN_PROTOCOL_VERSION": "0x302", "MAX_PROTOCOL_VERSION": "0x302"}
    assert fatal(CIPHER_SUITES="0xC030", **only) == told


@pytest.mark.parametrize("level", range(5))
def test_c32_levels_are_0_to_4(level: int) -> None:
    assert good(SECURITY_LEVEL=str(level)).level is SecurityLevel(level)


@pytest.mark.parametrize("text", ["5", "-1", "high", "0x5"])
def test_c32_another_level_is_an_error(text: str) -> None:
    assert fatal(SECURITY_LEVEL=text) == ("T307", "TLS_SECURITY_LEVEL")


@pytest.mark.parametrize("level", ["2", "3", "4"])
def test_c32_the_strict_levels_are_tls_1_2_only(level: str) -> None:
    found = good(SECURITY_LEVEL=level)
    assert (found.minimum, found.maximum) == (V1_2, V1_2)


def test_c32_a_level_that_the_versions_contradict_is_an_error() -> None:
    old = {"MIN_PROTOCOL_VERSION": "0x301", "MAX_PROTOCOL_VERSION": "0x302"}
    assert fatal(SECURITY_LEVEL="1", **old) == ("T307", "TLS_MAX_PROTOCOL_VERSION")
    assert fatal(SECURITY_LEVEL="2", MIN_PROTOCOL_VERSION="0x304") == ("T307", "TLS_MIN_PROTOCOL_VERSION")


def test_c32_a_level_that_leaves_no_suite_is_an_error_that_names_what_it_allows() -> None:
    told = fatal(SECURITY_LEVEL="4", CIPHER_SUITES="TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384")
    assert told == ("T307", "TLS_CIPHER_SUITES")


def test_c32_a_level_takes_out_the_suites_that_it_forbids_and_says_so() -> None:
    keys = {"SECURITY_LEVEL": "3", "CIPHER_SUITES": "0xC02F,0xC02B"}
    assert warning(**keys) == ("T307", "TLS_CIPHER_SUITES")
    assert resolve(**keys)[0].suites == ("ECDHE-ECDSA-AES128-GCM-SHA256",)


def test_c33_fips_is_refused_where_it_is_not_active(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "fips_is_active", lambda: False)
    assert fatal(FIPS_COMPLIANCE="1") == ("T312", "TLS_FIPS_COMPLIANCE")


def test_c33_fips_is_taken_where_it_is_active(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "fips_is_active", lambda: True)
    assert good(FIPS_COMPLIANCE="1").fips


@pytest.mark.parametrize("text", ["0", "", "false"])
def test_fips_is_off_otherwise(text: str) -> None:
    assert not good(FIPS_COMPLIANCE=text).fips


def test_c34_c38_inbound_keys_and_the_session_age_do_nothing() -> None:
    assert good(CLIENT_AUTH="9", SESSION_CACHE_SIZE="x", MAX_SESSION_AGE="z") == good()


def test_c38_the_names_of_our_own_certificate_may_be_listed() -> None:
    store = {"KEY_STORE_FILE": "key.p12", "KEY_STORE_PASSWORD": "pw"}
    found = good(MIRROR_TRUSTED_HOSTS="1", **store)
    assert (found.mirror_hosts, found.restricts_hosts) == (True, True)
    assert not good(MIRROR_TRUSTED_HOSTS="0", **store).restricts_hosts


def test_c38_without_a_key_store_there_are_no_names_to_list() -> None:
    assert fatal(MIRROR_TRUSTED_HOSTS="1") == ("T311", "TLS_MIRROR_TRUSTED_HOSTS")


@pytest.mark.parametrize("key", ["MIRROR_TRUSTED_HOSTS", "FIPS_COMPLIANCE"])
def test_what_is_no_flag_is_an_error_not_a_no(key: str) -> None:
    assert fatal(**{key: "on please"}) == ("T309", f"TLS_{key}")


def test_the_crl_file_counts_from_the_base_and_is_a_file_of_the_context() -> None:
    origin = Origin("QUINTET_TLS_CRL_FILE", Place("sametime.ini", 9))
    found, problems = read_tls_settings(lambda _: None, base=BASE, crl_file=("ca.crl", origin))
    assert (found.crl_file, problems) == (BASE / "ca.crl", ())
    assert found.origins["crl_file"] == origin
    assert found.files == (BASE / "ca.crl",)


def test_c35_trusted_hosts_are_a_list() -> None:
    assert good(TRUSTED_HOSTS=" a.example , *.b.example,").trusted_hosts == ("a.example", "*.b.example")


def test_a_trusted_host_that_is_none_is_told() -> None:
    assert warning(TRUSTED_HOSTS="ldaps://a.example/") == ("T310", "TLS_TRUSTED_HOSTS")


@pytest.mark.parametrize("host", ["[::1]", "::1", "192.0.2.1"])
def test_c35_an_address_is_a_trusted_host_also_in_brackets(host: str) -> None:
    assert good(TRUSTED_HOSTS=host).trusted_hosts == (host,)
    assert is_listed(Names(addresses=(ipaddress.ip_address(host.strip("[]")),)), (host,))


def test_a_trusted_host_with_a_port_is_told() -> None:
    assert warning(TRUSTED_HOSTS="ldap.example.com:636") == ("T310", "TLS_TRUSTED_HOSTS")


def test_c29_the_signal_in_lists_of_java_is_left_out_with_a_note() -> None:
    text = "TLS_AES_256_GCM_SHA384,TLS_EMPTY_RENEGOTIATION_INFO_SCSV"
    assert warning(CIPHER_SUITES=text) == ("T308", "TLS_CIPHER_SUITES")
    profile, _ = resolve(CIPHER_SUITES=text)
    assert profile.suites_13 == ("TLS_AES_256_GCM_SHA384",)


def test_c29_a_list_of_nothing_but_a_signal_does_not_mean_the_default_suites() -> None:
    assert fatal(CIPHER_SUITES="TLS_EMPTY_RENEGOTIATION_INFO_SCSV") == ("T308", "TLS_CIPHER_SUITES")


def test_c29_a_star_means_the_default_suites_with_a_warning() -> None:
    assert warning(CIPHER_SUITES=" * ") == ("T308", "TLS_CIPHER_SUITES")
    assert resolve(CIPHER_SUITES="*")[0] == good()


def test_c29_a_huge_list_of_wrong_names_is_told_of_in_a_moment_and_in_few_words() -> None:
    begun = time.process_time()
    _, problems = resolve(CIPHER_SUITES=",".join(f"TLS_RSA_{number}" for number in range(100_000)))
    assert time.process_time() - begun < 2
    assert len(problems) < 30


def test_problems_hold_no_secret() -> None:
    _, problems = resolve(
        TRUST_STORE_PASSWORD="hush-hush", KEY_STORE_FILE="a", ST__KEY_STORE_PASSWORD="hush-hush"
    )
    assert problems
    assert "hush-hush" not in repr(problems)


@given(st.dictionaries(st.sampled_from(KEYS), st.text(max_size=30) | st.integers(0, 1000).map(str)))
def test_any_texts_give_a_profile_and_readable_problems(keys: dict[str, str]) -> None:
    values = {key: (text, Origin(f"ST_{key}", Place("environment"))) for key, text in keys.items()}
    found, problems = read_tls_settings(values.get, base=BASE)
    assert found.minimum <= found.maximum or any(problem.fatal for problem in problems)
    assert all(problem.message for problem in problems)


def test_versions_have_the_names_that_people_use() -> None:
    assert [version_name(each) for each in (V1_0, V1_2, V1_3)] == ["TLS 1.0", "TLS 1.2", "TLS 1.3"]
