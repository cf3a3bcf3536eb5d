"""What shows only when the files are looked at together: protection, trust, cards beside the rest."""

from itertools import pairwise

from quintet.config.ini_values import IniValues
from quintet.config.problems import Findings, Place
from quintet.config.settings import CardServer, Settings

_TRUST_KEYS = (
    "STLDAP_TLS_TRUST_STORE_TYPE, STLDAP_TLS_TRUST_STORE_FILE and STLDAP_TLS_TRUST_STORE_PASSWORD"
    " (or the same with ST_ in place of STLDAP_)"
)


def check_together(settings: Settings, values: IniValues, findings: Findings) -> None:
    _check_only_passwords(settings, values, findings)
    _check_trust(settings, findings)
    _check_cards(settings, findings)


def encrypts(settings: Settings) -> bool:
    """Whether any of the five connections is encrypted at any server."""
    return settings.directory.only_passwords or any(s.ssl_enabled for s in settings.servers)


def _check_only_passwords(settings: Settings, values: IniValues, findings: Findings) -> None:
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
    allowed = values.get("QUINTET_ALLOW_CLEAR_SERVICE_BIND")
    if allowed is not None and settings.directory.allow_clear_service_bind:
        findings.warning(
            allowed.place,
            allowed.key,
            "is 1: the bind account's own password crosses the clear connections",
        )


def _check_trust(settings: Settings, findings: Findings) -> None:
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


def _check_cards(settings: Settings, findings: Findings) -> None:
    if settings.cards is None:
        return
    servers = [s for storage in settings.cards.storages for s in storage.servers]
    for server in servers:
        if encrypts(settings) and not server.ssl_enabled:
            findings.warning(
                server.place,
                "SslEnabled",
                "business cards cross in clear, while the other connections are encrypted; set SslEnabled to"
                ' "true" and name a trust store in SslProperties, or use quintet protect --cards',
            )
    _check_order(settings, servers, findings)
    identified = next((s for s in settings.servers if s.user_id_attribute), None)
    for server in servers:
        if identified is not None and server.user_id_attribute is None:
            findings.warning(
                server.place,
                "UserIdAttribute",
                f"is missing, while {identified.place} sets UserIdAttribute={identified.user_id_attribute};"
                " cards will be empty. Set UserIdAttribute and PersonObjectClass here too",
            )


def _check_order(settings: Settings, cards: list[CardServer], findings: Findings) -> None:
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
