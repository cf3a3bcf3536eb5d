"""Where the connections of the business cards go, by UserInfoConfig.xml alone (reference 4.3)."""

from quintet.config import CardServer, CardSettings, CardStorage
from quintet.directory.endpoint import Binding, Endpoint, Mode, PoolConfig, stamps
from quintet.directory.settings_help import SettingsHelp
from quintet.ldap.limits import Address
from quintet.tls.settings import TlsSettings

LABEL = "business-card"
_OPERATION_TIMEOUT = 30.0
_ORIGIN = SettingsHelp(
    file="UserInfoConfig.xml",
    tls_port="SslPort",
    account="UserName and Password, or UserEncodedAuth",
    encrypting="encrypt the cards, too (quintet protect LEVEL --cards)",
    scram="let the server offer SASL SCRAM to the account",
)


def pool_config(settings: CardSettings, storage: CardStorage, server: CardServer) -> PoolConfig:
    """The pool for one server."""
    encrypted = server.ssl_enabled
    binding = _binding(settings, server)
    endpoint = Endpoint(
        label=LABEL,
        server=server.host,
        address=Address(server.host, server.ssl_port if encrypted else server.port),
        mode=Mode.LDAPS if encrypted else Mode.CLEAR,
        profile=storage.tls if encrypted else TlsSettings(),
        account=server.account,
        binding=binding,
        clear_password=binding is Binding.SIMPLE,
        bases=(server.base,),
        stores=stamps(storage.tls) if encrypted else (),
        origin=_ORIGIN,
    )
    timeout = settings.search_timeout or _OPERATION_TIMEOUT
    return PoolConfig((endpoint,), connections=storage.max_instances, operation_timeout=timeout)


def _binding(settings: CardSettings, server: CardServer) -> Binding:
    """As for the five tasks: where passwords are to be kept off clear connections, so is this account's."""
    if server.account is None:
        return Binding.ANONYMOUS
    return Binding.HIDDEN if settings.guard_account and not server.ssl_enabled else Binding.SIMPLE
