"""Which task goes where, and how: rows C1 to C4."""

from dataclasses import replace
from typing import Any

import pytest

from quintet.config import Account, Settings
from quintet.directory.endpoint import Binding, Mode, pool_configs, weakest
from quintet.directory.services import Protection, Service
from quintet.secret import Secret
from support.directories import server_settings, settings

ACCOUNT = Account("cn=reader,o=example", Secret("reader-secret"))
CLEAR, SECURE = 389, 636


def made(*, ssl: bool, account: Account | None = None, **directory: object) -> Settings:
    server = server_settings(CLEAR, ssl_port=SECURE, ssl_enabled=ssl, account=account)
    return settings([server], **directory)


def modes(given: Settings) -> dict[Service, tuple[Mode, int]]:
    return {
        task: (line.endpoints[0].mode, line.endpoints[0].address.port)
        for (task, _), line in pool_configs(given).items()
    }


def test_c1_each_task_has_a_line_of_its_own() -> None:
    lines = pool_configs(made(ssl=True))
    assert [task for task, _ in lines] == list(Service)
    assert len(set(lines.values())) == len(Service)


def test_c2_without_ssl_all_five_are_clear_on_the_port() -> None:
    assert set(modes(made(ssl=False)).values()) == {(Mode.CLEAR, CLEAR)}


def test_c3_with_ssl_all_five_are_tls_on_the_ssl_port() -> None:
    assert set(modes(made(ssl=True)).values()) == {(Mode.LDAPS, SECURE)}


@pytest.mark.parametrize("ssl", [True, False])
def test_c4_only_passwords_encrypts_authentication_alone(*, ssl: bool) -> None:
    found = modes(made(ssl=ssl, only_passwords=True))
    assert found.pop(Service.AUTHENTICATE) == (Mode.LDAPS, SECURE)
    assert set(found.values()) == {(Mode.CLEAR, CLEAR)}


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
    lines = pool_configs(made(ssl=ssl, account=ACCOUNT, **options))
    assert {line.endpoints[0].binding for (task, _), line in lines.items()} == {binding, Binding.NONE}
    assert lines[Service.AUTHENTICATE, 0].endpoints[0].binding is Binding.NONE


def test_c57_without_an_account_connections_are_anonymous() -> None:
    lines = pool_configs(made(ssl=False))
    assert lines[Service.BROWSE, 0].endpoints[0].binding is Binding.ANONYMOUS


@pytest.mark.parametrize("ssl", [True, False])
def test_an_encrypted_connection_never_counts_as_free_for_clear_passwords(*, ssl: bool) -> None:
    """The guard rests on this: were TLS left out by mistake, the password would still not be sent."""
    lines = pool_configs(made(ssl=ssl, account=ACCOUNT, only_passwords=True))
    assert not any(endpoint.clear_password for line in lines.values() for endpoint in line.endpoints)


def test_authentication_grows_to_four_times_its_connections_and_nothing_else_grows() -> None:
    lines = pool_configs(made(ssl=False, bind_connections=3, connections_per_task=2))
    found = {task: (line.connections, line.most) for (task, _), line in lines.items()}
    assert found.pop(Service.AUTHENTICATE) == (3, 12)
    assert set(found.values()) == {(2, 2)}


def test_the_times_and_limits_of_the_settings_are_those_of_every_line() -> None:
    given: dict[str, Any] = {
        "pending_high": 9,
        "pending_low": 4,
        "connect_timeout": 2.0,
        "operation_timeout": 8.0,
    }
    for line in pool_configs(made(ssl=False, respray_interval=600.0, **given)).values():
        assert {name: getattr(line, name) for name in given} == given
        assert line.lifetime == 600.0


def test_several_hosts_are_endpoints_in_order() -> None:
    given = made(ssl=False)
    server = replace(given.servers[0], hosts=("a.example", "b.example"))
    line = pool_configs(replace(given, servers=(server,)))[Service.BROWSE, 0]
    assert [endpoint.address.host for endpoint in line.endpoints] == ["a.example", "b.example"]


def test_the_weakest_server_gives_the_level() -> None:
    one, other = made(ssl=True), made(ssl=False)
    assert weakest(one) is Protection.ALL
    assert weakest(replace(one, servers=(*one.servers, *other.servers))) is Protection.NONE


def test_equal_settings_make_equal_lines() -> None:
    assert pool_configs(made(ssl=True, account=ACCOUNT)) == pool_configs(made(ssl=True, account=ACCOUNT))
