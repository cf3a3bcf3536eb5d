"""What shows only when the files are compared: protection, trust, business cards beside the rest."""

from ipaddress import ip_address
from itertools import pairwise
from urllib.parse import urlsplit

from quintet.config.ini_values import IniValues
from quintet.config.parsers import Value
from quintet.config.schema import CARDS, INI
from quintet.config.settings import Account, CardServer, ServerSettings, Settings
from quintet.config.xml_schema import ODD_PLAIN_PORTS, PLAIN_PORT
from quintet.diagnostics import Diagnostics, Finding, Pitfall, Place, Severity, shown
from quintet.ldap.dn import type_key
from quintet.tls import Names, as_address, is_listed

_ALLOW = "QUINTET_ALLOW_CLEAR_SERVICE_BIND"
# Names that stand for an entry's own DN: Active Directory's, that of RFC 5020, and a plain one.
_DN = frozenset({"distinguishedname", "entrydn", "dn"})


def check_together(settings: Settings, values: IniValues, findings: Diagnostics) -> None:
    _check_only_passwords(settings, values, findings)
    _check_mixture(settings, findings)
    _check_start_tls(settings, values, findings)
    _check_accounts(settings, values, findings)
    _check_trust(settings, findings)
    _check_trusted_hosts(settings, findings)
    _check_cards(settings, findings)
    _check_applications(settings, values, findings)
    _check_port(settings, values, findings)


def encrypts(settings: Settings) -> bool:
    """Whether any of the five connections is encrypted at any server."""
    return settings.directory.only_passwords or any(s.ssl_enabled for s in settings.servers)


def _check_only_passwords(settings: Settings, values: IniValues, findings: Diagnostics) -> None:
    value = values.get("ST_DB_LDAP_SSL_ONLY_FOR_PASSWORDS")
    if not settings.directory.only_passwords or value is None:
        return
    for server in settings.servers:
        if not server.ssl_enabled:
            message = (
                f"SSLEnabled is 0, yet {value.key} at {value.place} asks to encrypt passwords; it is read as"
                ' "only passwords": logins are encrypted, the rest is not'
            )
            fix = "set SSLEnabled to 1"
            findings.add(Finding.Q80, server.place_of("SSLEnabled"), "SSLEnabled", message, fix)
        _check_plain_port(server, settings, findings)


def _check_plain_port(server: ServerSettings, settings: Settings, findings: Diagnostics) -> None:
    """Rows C94 and D41: the four unencrypted connections go to `Port`."""
    if settings.directory.start_tls or not (server.port == server.ssl_port or server.port in ODD_PLAIN_PORTS):
        return
    like = "the same as SSLPort" if server.port == server.ssl_port else "usually a TLS port"
    message = (
        f'Port is {server.port}, {like}; under "only passwords" the four unencrypted connections go to Port'
        " and"
        " fail at a TLS port"
    )
    fix = f"set Port to the plain LDAP port, usually {PLAIN_PORT}, and SSLPort to the TLS port"
    findings.add(Pitfall.D41, server.place_of("Port"), "Port", message, fix)


def _check_mixture(settings: Settings, findings: Diagnostics) -> None:
    """One server that is not encrypted beside others, as a line that is copied and changed leaves it."""
    encrypted = next((server for server in settings.servers if server.ssl_enabled), None)
    for server in settings.servers:
        if encrypted is not None and not server.ssl_enabled and not settings.directory.only_passwords:
            message = (
                f"SSLEnabled is 0 for {server.label}, so names and passwords are sent unencrypted there,"
                " while"
                f" {encrypted.label} ({encrypted.place}) is encrypted"
            )
            findings.add(Finding.Q81, server.place_of("SSLEnabled"), "SSLEnabled", message)


def _check_start_tls(settings: Settings, values: IniValues, findings: Diagnostics) -> None:
    value = values.get("QUINTET_START_TLS")
    if value is not None and settings.directory.start_tls and not encrypts(settings):
        message = f"{value.key} has no effect: it says how connections are encrypted, and none is"
        findings.add(Finding.Q82, value.place, value.key, message)


def _check_accounts(settings: Settings, values: IniValues, findings: Diagnostics) -> None:
    """Accounts on unencrypted connections, of a level that protects passwords (config 1.2, rows D36, C59)."""
    cards = [server for server in _card_servers(settings) if server.account and not server.ssl_enabled]
    allowed = values.get(_ALLOW)
    if allowed is not None and settings.directory.allow_clear_service_bind:
        if settings.directory.only_passwords:
            _report_allowed(allowed, "the account's own password", findings)
        if encrypts(settings) and cards:
            _report_allowed(allowed, "the password of the business cards' account", findings)
        return
    if settings.directory.only_passwords:
        for server in settings.servers:
            _report_hidden(
                server.account,
                "if neither works, Quintet does not start",
                "let the server offer SCRAM, or let anonymous connections read the bases, or use quintet"
                " protect"
                " all",
                findings,
            )
    if settings.cards is not None and settings.cards.guard_account:
        for card in cards:
            _report_hidden(
                card.account,
                "if neither works, there are no business cards",
                (
                    f'set SslEnabled="true" at {card.place_of("SslEnabled")}, or use quintet protect'
                    f" {_level(settings)} --cards"
                ),
                findings,
            )


def _report_hidden(account: Account | None, otherwise: str, fix: str, findings: Diagnostics) -> None:
    if account is not None and account.place is not None:
        message = (
            f"{account.key} {shown(account.name)} does not use a simple bind over unencrypted connections:"
            " SASL"
            f" SCRAM, then an anonymous bind is tried; {otherwise}"
        )
        fix += f"; {_ALLOW}=1 in [Directory] allows a simple bind"
        findings.add(Pitfall.D36, account.place, account.key, message, fix)


def _report_allowed(value: Value, what: str, findings: Diagnostics) -> None:
    message = f"{value.key} is 1: {what} is sent unencrypted"
    findings.add(Pitfall.D36, value.place, value.key, message)


def _check_trust(settings: Settings, findings: Diagnostics) -> None:
    if not encrypts(settings) or settings.tls.trust_store is not None:
        return
    encrypted = next((s for s in settings.servers if s.ssl_enabled), None)
    place = encrypted.place if encrypted else Place(INI)
    message = (
        "connections are to be encrypted, but no trust store is set (STLDAP_TLS_TRUST_STORE_TYPE,"
        " STLDAP_TLS_TRUST_STORE_FILE and STLDAP_TLS_TRUST_STORE_PASSWORD, or the same with ST_), so no"
        " server"
        " can be trusted"
    )
    findings.add(Pitfall.D5, place, "STLDAP_TLS_TRUST_STORE_FILE", message)


def _check_trusted_hosts(settings: Settings, findings: Diagnostics) -> None:
    """Row D44, as far as the settings show it: a host name that no listed name covers."""
    tls = settings.tls
    origin = tls.origins.get("trusted_hosts")
    if origin is None or not tls.trusted_hosts or tls.mirror_hosts or not encrypts(settings):
        return
    for server in settings.servers:
        for host in server.hosts:
            if as_address(host) is None and not is_listed(Names(dns=(host,)), tls.trusted_hosts):
                message = (
                    f"{origin.key} lists no name that covers HostName {host} ({server.place}); its"
                    " certificate is"
                    " accepted only if it contains a listed name"
                )
                fix = f"add {host} to {origin.key}, or remove the key"
                findings.add(Pitfall.D44, origin.place, origin.key, message, fix, severity=Severity.WARNING)


def _check_cards(settings: Settings, findings: Diagnostics) -> None:
    servers = _card_servers(settings)
    for server in servers:
        if encrypts(settings) and not server.ssl_enabled:
            message = (
                f"SslEnabled is false for {server.host}, so business cards are sent unencrypted, while the"
                " other"
                " connections are encrypted"
            )
            fix = (
                f'set SslEnabled="true" and name a trust store in SslProperties, or use quintet'
                f" protect {_level(settings)} --cards"
            )
            findings.add(Pitfall.D6, server.place_of("SslEnabled"), "SslEnabled", message, fix)
    _check_order(settings, servers, findings)
    _check_ids(settings, servers, findings)


def _card_servers(settings: Settings) -> list[CardServer]:
    storages = settings.cards.storages if settings.cards is not None else ()
    return [server for storage in storages for server in storage.servers]


def _level(settings: Settings) -> str:
    """The protection level as quintet protect takes it; only for what encrypts."""
    return "passwords" if settings.directory.only_passwords else "all"


def _check_ids(settings: Settings, cards: list[CardServer], findings: Diagnostics) -> None:
    """Cards are asked for by Sametime ID; one that is no DN must be searched for (config 3.7, row D20)."""
    for card in cards:
        same = [s for s in settings.servers if card.host.casefold() in (host.casefold() for host in s.hosts)]
        ids = {
            type_key(i): s for s in same or settings.servers if (i := s.user_id_attribute) and not _is_dn(i)
        }
        own = card.user_id_attribute
        if ids and (own is None or type_key(own) not in ids):
            server = next(iter(ids.values()))
            state = "is missing" if own is None else f"is {own}"
            message = (
                f"UserIdAttribute {state}, while {server.place} sets"
                f" UserIdAttribute={server.user_id_attribute};"
                " business cards will be empty"
            )
            fix = f'set UserIdAttribute="{server.user_id_attribute}" and PersonObjectClass'
            findings.add(Pitfall.D20, card.place_of("UserIdAttribute"), "UserIdAttribute", message, fix)


def _is_dn(attribute: str) -> bool:
    return type_key(attribute) in _DN


def _check_order(settings: Settings, cards: list[CardServer], findings: Diagnostics) -> None:
    """Both files must list the servers in one order (config 3.3, row D25)."""
    order = {host.casefold(): at for at, server in enumerate(settings.servers) for host in server.hosts}
    found = [(order[card.host.casefold()], card) for card in cards if card.host.casefold() in order]
    for (before, first), (after, second) in pairwise(found):
        if after < before:
            message = (
                f"{second.host} is below {first.host} in {CARDS}, but above it by SearchOrder"
                f" ({settings.servers[after].place})"
            )
            fix = "list the servers in one order in both files"
            findings.add(Pitfall.D25, second.place, "StorageDetails", message, fix)


def _check_applications(settings: Settings, values: IniValues, findings: Diagnostics) -> None:
    """What administrators and applications need, so that anything is granted."""
    web = settings.web
    key, place = "QUINTET_ADMIN_GROUP", Place(INI)
    if web.applications:
        key = f"[Application-{web.applications[0].name}]"
        place = values.applications()[web.applications[0].name]
    plain = [] if settings.directory.only_passwords else [s for s in settings.servers if not s.ssl_enabled]
    if web.port and web.grants and plain and not web.allow_unencrypted_groups:
        servers = ", ".join(server.label for server in plain)
        message = f"{key} grants by groups, and those of {servers} are read over unencrypted connections"
        severity = Severity.ERROR if len(plain) == len(settings.servers) else Severity.WARNING
        findings.add(Finding.Q140, place, key, message, severity=severity)
    if not web.applications:
        return
    if not web.public_url:
        findings.add(Finding.Q141, place, key, f"QUINTET_PUBLIC_URL is not set, and {key} needs it")
        return
    reached = web.cookie_domain or urlsplit(web.public_url).hostname or ""
    for url in (web.public_url, *web.return_origins):
        host = urlsplit(url).hostname or ""
        if host != reached and not (web.cookie_domain and host.endswith(f".{reached}")):
            message = f"browsers that signed in send the cookie for applications to {reached}, not to {host}"
            findings.add(Finding.Q142, place, key, message)


def _check_port(settings: Settings, values: IniValues, findings: Diagnostics) -> None:
    """The Sametime port beside its address, its certificate and the other ports."""
    port, web = settings.sametime, settings.web
    if not port.port:
        return
    where = values.get("QUINTET_LEGACY_CLIENTS") or Value("", "QUINTET_LEGACY_CLIENTS", Place(INI))
    if port.legacy_clients == "allow" and not _is_loopback(web.address):
        message = (
            f"{where.key} is allow: a listener on the network can read the passwords of clients without TLS,"
            " and what they write"
        )
        findings.add(Finding.Q113, where.place, where.key, message)
    if port.tls.key_store is None and port.legacy_clients == "refuse":
        message = f"{where.key} is refuse, and no certificate is set, so no Sametime client can sign in"
        findings.add(Finding.Q114, where.place, where.key, message)
    for key, other in (("QUINTET_HTTP_PORT", web.port), ("QUINTET_METRICS_PORT", web.metrics_port)):
        value = values.get("VPMX_PORT") or values.get(key)
        if other == port.port and value is not None:
            message = f"VPMX_PORT and {key} are both {other}"
            findings.add(Finding.Q115, value.place, value.key, message)


def _is_loopback(address: str) -> bool:
    """Whether only clients on this machine reach a port at this address."""
    return ip_address(address).is_loopback
