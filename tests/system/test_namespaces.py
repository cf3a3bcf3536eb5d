"""Links to network namespaces, on which the tests of partitions rely."""

import sys

import pytest

from support.namespaces import NetworkNamespace, network_namespace
from support.redis_server import PASSWORD, RedisServer
from support.server_process import ServerError, program, run
from support.waiting import wait_until

pytestmark = pytest.mark.real

_CONNECT = """
import socket, sys
try:
    socket.create_connection((sys.argv[1], int(sys.argv[2])), 4).close()
except OSError as error:
    print(type(error).__name__)
"""


def connect(namespace: NetworkNamespace, server: RedisServer) -> str:
    """What happens when a program there connects to a server here: empty, or the error."""
    return run([*namespace.inside, sys.executable, "-c", _CONNECT, server.host, str(server.port)]).strip()


def test_a_link_that_is_cut_loses_all_packets_silently_until_it_is_restored(
    namespace: NetworkNamespace,
) -> None:
    one, other = namespace.links
    with (
        RedisServer(password=PASSWORD, host=one.here) as cut,
        RedisServer(password=PASSWORD, host=other.here) as near,
    ):
        assert [connect(namespace, each) for each in (cut, near)] == ["", ""]
        with one.cut():
            assert [connect(namespace, each) for each in (cut, near)] == ["TimeoutError", ""]
            assert cut.run("PING") == b"PONG"
        assert connect(namespace, cut) == ""


def test_nothing_is_left_of_a_namespace(namespace: NetworkNamespace) -> None:
    def devices() -> str:
        return run([program("ip"), "-br", "link"])

    with network_namespace(links=1) as other:
        (link,) = other.links
        assert link.device in devices()
    assert wait_until(lambda: link.device not in devices(), seconds=10)
    with pytest.raises(ServerError):
        connect(other, RedisServer())
