"""What is said when the cards' connections do not get to where UserInfoConfig.xml sends them."""

import pytest

from quintet.config.settings import Account, CardServer, CardSettings, CardStorage
from quintet.directory import (
    Connector,
    Endpoint,
    SslContextCache,
    UnencryptedBindError,
    card_endpoints,
    unavailable,
)
from quintet.embedded.answers import Rules
from quintet.embedded.server import EmbeddedServer
from quintet.ldap import Scope
from quintet.ldap.dn import DN
from quintet.ldap.errors import ConnectError, InvalidCredentials
from quintet.ldap.filters import Template
from quintet.secret import Secret
from quintet.tls import TlsSettings
from support import small
from support.directories import DEAD, small_entries


def server_of(port: int, *, encrypted: bool = False) -> CardServer:
    return CardServer(
        host="localhost",
        port=port,
        ssl_port=port,
        ssl_enabled=encrypted,
        account=Account(small.READER_DN, Secret(small.READER_PASSWORD)),
        base=DN.parse(small.BASE),
        scope=Scope.SUBTREE,
        filter=Template("(cn=%s)"),
        user_id_attribute=None,
        person_class=None,
    )


def endpoint_of(*, encrypted: bool = False) -> Endpoint:
    server = server_of(DEAD, encrypted=encrypted)
    return next(card_endpoints(CardSettings((CardStorage((server,), (), TlsSettings(), ""),), {})))


def test_c66_a_refused_account_is_looked_for_where_the_cards_have_theirs() -> None:
    told = str(unavailable(InvalidCredentials(operation="bind"), endpoint_of()))
    assert "Check UserName and Password, or UserEncodedAuth in UserInfoConfig.xml" in told
    assert "BindEntry" not in told


@pytest.mark.parametrize(("encrypted", "key"), [(False, "Port"), (True, "SslPort")])
def test_c68_a_port_where_nobody_listens_is_named_as_the_file_has_it(*, encrypted: bool, key: str) -> None:
    error = ConnectError("no connection")
    error.__cause__ = ConnectionRefusedError()
    told = str(unavailable(error, endpoint_of(encrypted=encrypted)))
    assert f"Check {key} in UserInfoConfig.xml" in told


async def test_c59_the_ways_out_are_those_of_the_cards() -> None:
    async with EmbeddedServer(small_entries(), rules=Rules(scram=False, anonymous=False)) as embedded:
        server = server_of(embedded.port)
        storage = CardStorage((server,), (), TlsSettings(), "")
        (endpoint,) = card_endpoints(CardSettings((storage,), {}, guard_account=True))
        with pytest.raises(UnencryptedBindError, match="quintet protect LEVEL --cards") as refused:
            await Connector(SslContextCache()).open(endpoint)
    assert "QUINTET_SASL_USER" not in str(refused.value)
