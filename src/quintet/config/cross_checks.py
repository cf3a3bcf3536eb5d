"""What shows only when the files are looked at together: protection, trust, cards beside the rest."""

from itertools import pairwise

from quintet.config.ini_values import IniValues
from quintet.config.parsers import Value
from quintet.config.settings import Account, CardServer, Settings
from quintet.diagnostics import Diagnostics, Place, shown
from quintet.ldap.dn import type_key

_TRUST_KEYS = (
    "STLDAP_TLS_TRUST_STORE_TYPE, STLDAP_TLS_TRUST_STORE_FILE and STLDAP_TLS_TRUST_STORE_PASSWORD"
    " (or the same with ST_ in place of STLDAP_)"
)
_ALLOW = "QUINTET_ALLOW_CLEAR_SERVICE_BIND"
# Names that stand for an entry's own DN: Active Directory's, that of RFC 5020, and a plain one.
_DN = frozenset({"distinguishedname", "entrydn", "dn"})


def check_together(settings: Settings, values: IniValues, findings: Diagnostics) -> None:
    _check_only_passwords(settings, values, findings)
    _check_mixture(settings, findings)
    _check_start_tls(settings, values, findings)
    _check_clear_accounts(settings, values, findings)
    _check_trust(settings, findings)
    _check_cards(settings, findings)


def encrypts(settings: Settings) -> bool:
    """Whether any of the five connections is encrypted at any server."""
    return settings.directory.only_passwords or any(s.ssl_enabled for s in settings.servers)


def _check_only_passwords(settings: Settings, values: IniValues, findings: Diagnostics) -> None:
    value = values.get("ST_DB_LDAP_SSL_ONLY_FOR_PASSWORDS")
    if not settings.directory.only_passwords or value is None:
        return
    for server in settings.servers:
        if not server.ssl_enabled:
            findings.warning(
                server.place,
                "SSLEnabled",
                f"is 0, yet {value.key} at {value.place} asks to encrypt passwords; it is read as 'only"
                " passwords': logins go over TLS, the rest in clear. Set SSLEnabled to 1 to say so",
            )


def _check_mixture(settings: Settings, findings: Diagnostics) -> None:
    """One server that was left in clear beside others, as a line that is copied and changed leaves it."""
    encrypted = next((server for server in settings.servers if server.ssl_enabled), None)
    for server in settings.servers:
        if encrypted is not None and not server.ssl_enabled and not settings.directory.only_passwords:
            findings.warning(
                server.place,
                "SSLEnabled",
                f"is 0 for {server.label}, so names and passwords cross in clear there, while"
                f" {encrypted.label} ({encrypted.place}) is encrypted. Set it to 1, or use quintet protect"
                " all",
            )


def _check_start_tls(settings: Settings, values: IniValues, findings: Diagnostics) -> None:
    value = values.get("QUINTET_START_TLS")
    if value is not None and settings.directory.start_tls and not encrypts(settings):
        findings.warning(
            value.place,
            value.key,
            "has no effect: it says how connections are encrypted, and none is. Set SSLEnabled to 1, or use"
            " quintet protect all",
        )


def _check_clear_accounts(settings: Settings, values: IniValues, findings: Diagnostics) -> None:
    """Accounts on clear connections, of a level that keeps passwords off them (reference 1.2, D36, C59)."""
    cards = [server for server in _card_servers(settings) if server.account and not server.ssl_enabled]
    allowed = values.get(_ALLOW)
    if allowed is not None and settings.directory.allow_clear_service_bind:
        if settings.directory.only_passwords:
            _tell_allowed(allowed, "the bind account's own password crosses the clear connections", findings)
        if encrypts(settings) and cards:
            _tell_allowed(allowed, "the cards' account's password crosses their clear connection", findings)
        return
    if settings.directory.only_passwords:
        for server in settings.servers:
            _tell_hidden(
                server.account,
                "the four clear connections: they bind",
                "start-up stops; quintet protect all encrypts them",
                findings,
            )
    if settings.cards is not None and settings.cards.guard_account:
        for card in cards:
            _tell_hidden(
                card.account,
                "the cards' clear connection: it binds",
                f"there are no cards; SslEnabled, or quintet protect {_level(settings)} --cards, encrypts it",
                findings,
            )


def _tell_hidden(account: Account | None, binds: str, otherwise: str, findings: Diagnostics) -> None:
    if account is not None and account.place is not None:
        findings.warning(
            account.place,
            account.key,
            f"the password of {shown(account.name)} stays off {binds} by SCRAM where that is offered, else"
            f" anonymously, else {otherwise}, and {_ALLOW}=1 in [Directory] sends it",
        )


def _tell_allowed(value: Value, what: str, findings: Diagnostics) -> None:
    findings.warning(value.place, value.key, f"is 1: {what}")


def _check_trust(settings: Settings, findings: Diagnostics) -> None:
    if not encrypts(settings) or settings.tls.trust_store is not None:
        return
    encrypted = next((s for s in settings.servers if s.ssl_enabled), None)
    place = encrypted.place if encrypted else Place("sametime.ini")
    findings.error(
        place,
        "STLDAP_TLS_TRUST_STORE_FILE",
        "connections are to be encrypted and no trust store is set, so no server could be trusted; set"
        f" {_TRUST_KEYS} in [Config] of sametime.ini, or let quintet trust fetch do it",
    )


def _check_cards(settings: Settings, findings: Diagnostics) -> None:
    servers = _card_servers(settings)
    for server in servers:
        if encrypts(settings) and not server.ssl_enabled:
            findings.warning(
                server.place,
                "SslEnabled",
                "business cards cross in clear, while the other connections are encrypted; set SslEnabled to"
                ' "true" and name a trust store in SslProperties, or use quintet protect'
                f" {_level(settings)} --cards",
            )
    _check_order(settings, servers, findings)
    _check_ids(settings, servers, findings)


def _card_servers(settings: Settings) -> list[CardServer]:
    storages = settings.cards.storages if settings.cards is not None else ()
    return [server for storage in storages for server in storage.servers]


def _level(settings: Settings) -> str:
    """The protection level as quintet protect takes it; only for what encrypts."""
    return "passwords" if settings.directory.only_passwords else "all"


def _check_ids(settings: Settings, cards: list[CardServer], findings: Diagnostics) -> None:
    """Cards are asked for by Sametime ID; one that is no DN must be searched for (reference 3.7, D20)."""
    for card in cards:
        same = [s for s in settings.servers if card.host.casefold() in (host.casefold() for host in s.hosts)]
        ids = {
            type_key(i): s for s in same or settings.servers if (i := s.user_id_attribute) and not _is_dn(i)
        }
        own = card.user_id_attribute
        if ids and (own is None or type_key(own) not in ids):
            server = next(iter(ids.values()))
            state = "is missing" if own is None else f"is {own}"
            findings.warning(
                card.place,
                "UserIdAttribute",
                f"{state}, while {server.place} sets UserIdAttribute={server.user_id_attribute}; cards will"
                " be empty. Set the same here, and PersonObjectClass",
            )


def _is_dn(attribute: str) -> bool:
    return type_key(attribute) in _DN


def _check_order(settings: Settings, cards: list[CardServer], findings: Diagnostics) -> None:
    """Both files must list the servers in one order (reference 3.3, D25)."""
    order = {host.casefold(): at for at, server in enumerate(settings.servers) for host in server.hosts}
    found = [(order[card.host.casefold()], card) for card in cards if card.host.casefold() in order]
    for (before, first), (after, second) in pairwise(found):
        if after < before:
            findings.warning(
                second.place,
                "StorageDetails",
                f"{second.host} stands below {first.host}, and their SearchOrder says otherwise"
                f" ({settings.servers[after].place}); list them in one order in both files",
            )
