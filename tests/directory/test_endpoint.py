"""Which task goes where, and how: rows C1 to C4."""

from dataclasses import replace
from typing import Any

import pytest

from quintet.config.settings import Account, Settings
from quintet.directory.endpoint import Binding, Mode, endpoints_of, weakest
from quintet.directory.services import TASKS, Protection, Service
from quintet.secret import Secret
from support.directories import server_settings, settings

ACCOUNT = Account("cn=reader,o=example", Secret("reader-secret"))
CLEAR, SECURE = 389, 636


def made(*, ssl: bool, account: Account | None = None, **directory: object) -> Settings:
    server = server_settings(CLEAR, ssl_port=SECURE, ssl_enabled=ssl, account=account)
    return settings([server], **directory)


def modes(given: Settings) -> dict[Service, tuple[Mode, int]]:
    return {
        service: (endpoint.mode, endpoint.address.port)
        for (service, _), endpoint in endpoints_of(given).items()
    }


def test_c1_each_task_has_an_endpoint_of_its_own() -> None:
    found = endpoints_of(made(ssl=True))
    assert [service for service, _ in found] == list(TASKS)
    assert len(set(found.values())) == len(TASKS)


def test_c2_without_ssl_all_five_are_clear_on_the_port() -> None:
    assert set(modes(made(ssl=False)).values()) == {(Mode.UNENCRYPTED, CLEAR)}


def test_c3_with_ssl_all_five_are_tls_on_the_ssl_port() -> None:
    assert set(modes(made(ssl=True)).values()) == {(Mode.LDAPS, SECURE)}


@pytest.mark.parametrize("ssl", [True, False])
def test_c4_only_passwords_encrypts_authentication_alone(*, ssl: bool) -> None:
    found = modes(made(ssl=ssl, only_passwords=True))
    assert found.pop(Service.AUTHENTICATE) == (Mode.LDAPS, SECURE)
    assert set(found.values()) == {(Mode.UNENCRYPTED, CLEAR)}


def test_start_tls_encrypts_on_the_clear_port() -> None:
    assert set(modes(made(ssl=True, start_tls=True)).values()) == {(Mode.STARTTLS, CLEAR)}


@pytest.mark.parametrize(
    ("ssl", "options", "binding"),
    [
        (True, {}, Binding.SIMPLE),
        (False, {}, Binding.SIMPLE),
        (True, {"only_passwords": True}, Binding.HIDDEN),
        (True, {"only_passwords": True, "allow_clear_service_bind": True}, Binding.SIMPLE),
        (False, {"guard_service_account": True}, Binding.HIDDEN),
        (True, {"guard_service_account": True}, Binding.SIMPLE),
    ],
)
def test_c59_how_the_account_binds(*, ssl: bool, options: dict[str, bool], binding: Binding) -> None:
    found = endpoints_of(made(ssl=ssl, account=ACCOUNT, **options))
    assert {endpoint.binding for endpoint in found.values()} == {binding, Binding.NONE}
    assert found[Service.AUTHENTICATE, 0].binding is Binding.NONE


def test_c57_without_an_account_connections_are_anonymous() -> None:
    assert endpoints_of(made(ssl=False))[Service.BROWSE, 0].binding is Binding.ANONYMOUS


@pytest.mark.parametrize("ssl", [True, False])
def test_an_encrypted_connection_never_counts_as_free_for_clear_passwords(*, ssl: bool) -> None:
    """The guard rests on this: were TLS left out by mistake, the password would still not be sent."""
    for endpoint in endpoints_of(made(ssl=ssl, account=ACCOUNT, only_passwords=True)).values():
        assert not endpoint.account_unencrypted
        assert not endpoint.pool.unencrypted_passwords


def test_c2_users_passwords_may_be_sent_unencrypted_at_level_none_and_no_other() -> None:
    for ssl, only_passwords in ((False, False), (True, False), (False, True), (True, True)):
        found = endpoints_of(made(ssl=ssl, only_passwords=only_passwords))
        allowed = {service for (service, _), each in found.items() if each.pool.unencrypted_passwords}
        assert allowed == (set() if ssl or only_passwords else {Service.AUTHENTICATE})


def test_c4_an_encrypted_endpoint_never_lets_the_accounts_password_pass_unencrypted() -> None:
    """Also where the account binds by its password: TLS forgotten by mistake must not cost one."""
    for endpoint in endpoints_of(made(ssl=True, account=ACCOUNT)).values():
        assert endpoint.encrypted
        assert not endpoint.account_unencrypted


def test_authentication_grows_to_four_times_its_connections_and_nothing_else_grows() -> None:
    endpoints = endpoints_of(made(ssl=False, bind_connections=3, connections_per_task=2))
    found = {service: (each.pool.size, each.pool.max_size) for (service, _), each in endpoints.items()}
    assert found.pop(Service.AUTHENTICATE) == (3, 12)
    assert set(found.values()) == {(2, 2)}


def test_the_times_and_limits_of_the_settings_are_those_of_every_pool() -> None:
    given: dict[str, Any] = {
        "pending_high": 9,
        "pending_low": 4,
        "connect_timeout": 2.0,
        "operation_timeout": 8.0,
    }
    for endpoint in endpoints_of(made(ssl=False, respray_interval=600.0, **given)).values():
        pool, limits = endpoint.pool, endpoint.pool.limits
        assert (limits.pending_high, limits.pending_low, limits.timeout) == (9, 4, 8.0)
        assert (pool.connect_timeout, pool.lifetime) == (2.0, 600.0)


def test_several_hosts_are_addresses_in_order() -> None:
    given = made(ssl=False)
    server = replace(given.servers[0], hosts=("a.example", "b.example"))
    endpoint = endpoints_of(replace(given, servers=(server,)))[Service.BROWSE, 0]
    assert [address.host for address in endpoint.addresses] == ["a.example", "b.example"]
    assert [each.address.host for each in endpoint.hosts] == ["a.example", "b.example"]


def test_the_weakest_server_gives_the_level() -> None:
    one, other = made(ssl=True), made(ssl=False)
    assert weakest(one) is Protection.ALL
    assert weakest(replace(one, servers=(*one.servers, *other.servers))) is Protection.NONE


def test_equal_settings_make_equal_endpoints() -> None:
    assert endpoints_of(made(ssl=True, account=ACCOUNT)) == endpoints_of(made(ssl=True, account=ACCOUNT))
