"""Codes have names and meanings, and the numbers that clients react to."""

import pytest

from quintet.sametime.client_types import ClientType, client_type_name, is_server
from quintet.sametime.reason import DirectoryCode, ReasonCode, ResolveCode, describe_reason
from quintet.sametime.services.catalog import SERVICES, ServiceId, service_name


@pytest.mark.parametrize("codes", [ReasonCode, ResolveCode, DirectoryCode])
def test_every_code_has_a_meaning_of_its_own(codes: type[ReasonCode]) -> None:
    meanings = [each.meaning for each in codes]
    assert all(meanings)
    assert len(set(meanings)) >= len(meanings) - 1  # two codes are the same to clients


def test_failures_have_the_top_bit() -> None:
    fine = {ReasonCode.SUCCESS, ReasonCode.REQUEST_DELAYED, ReasonCode.FILE_TRANSFER_REJECTED}
    assert {each for each in ReasonCode if each < 0x80000000} == fine


@pytest.mark.parametrize(
    ("reason", "number"),
    [
        (ReasonCode.SERVICE_NOT_SUPPORTED, 0x8000000D),
        (ReasonCode.VERSION_MISMATCH, 0x80000200),
        (ReasonCode.SERVER_FULL, 0x8000020B),
        (ReasonCode.PROTOCOL_ERROR, 0x8000020F),
        (ReasonCode.USER_RESTRICTED, 0x80000210),
        (ReasonCode.INCORRECT_LOGIN, 0x80000211),
        (ReasonCode.VERIFICATION_DOWN, 0x80000214),
        (ReasonCode.LOGGED_IN_TWICE, 0x80000227),
        (ReasonCode.TLS_MANDATORY, 0x80000247),
        (ReasonCode.LDAP_UNREACHABLE, 0x80001001),
        (ReasonCode.LDAP_QUEUE_FULL, 0x80001002),
        (ReasonCode.USER_NOT_ONLINE, 0x80002000),
        (ReasonCode.IM_TYPE_NOT_REGISTERED, 0x80002005),
    ],
)
def test_reasons_that_clients_react_to_have_the_numbers_that_they_know(
    reason: ReasonCode, number: int
) -> None:
    assert reason == number
    assert ReasonCode(number) is reason


def test_reasons_are_described_for_logs() -> None:
    assert describe_reason(0x80000211) == "0x80000211 INCORRECT_LOGIN (incorrect name or password)"
    assert describe_reason(0x8ABC0000) == "0x8abc0000"


def test_client_types_are_described_for_logs() -> None:
    assert client_type_name(ClientType.LIBMEANWHILE) == "LIBMEANWHILE (0x1700)"
    assert client_type_name(0x1999) == "0x1999"


@pytest.mark.parametrize(
    ("number", "expected"), [(0x2000, True), (0x6000, True), (0x3700, True), (0x1700, False), (0x1F00, False)]
)
def test_server_applications_and_muxes_are_told_from_clients(number: int, expected: bool) -> None:
    assert is_server(number) is expected


def test_services_are_described_for_logs() -> None:
    assert service_name(ServiceId.GROUP_CONTENT) == "GROUP_CONTENT (0x27)"
    assert service_name(0x12345) == "0x12345"


def test_libmeanwhiles_protocol_of_a_service_is_its_first() -> None:
    protocols = {each.service: each.protocol for each in SERVICES.values()}
    assert protocols == {
        ServiceId.AWARE: 0x11,
        ServiceId.RESOLVE: 0x15,
        ServiceId.STORAGE: 0x25,
        ServiceId.DIRECTORY: 0x1C,
        ServiceId.FILE_TRANSFER: 0,
        ServiceId.IM: 0x1000,
        ServiceId.CONFERENCE: 0x10,
    }
