"""The keys of sametime.ini that are about LDAP, apart from TLS (config 2.9, 2.10)."""

from quintet.config.ini_values import IniValues
from quintet.config.parsers import OFF, SettingsReader
from quintet.config.schema import DOCUMENTED_MEMBERS
from quintet.config.settings import DirectorySettings, TraceSettings
from quintet.config.stcommunityconfig import CommunitySettings
from quintet.diagnostics import Diagnostics, Finding, Severity, shown

_USERINFO_TRACE = 5
_LONGEST_LIST = 64_000


def read_directory(
    values: IniValues, community: CommunitySettings, findings: Diagnostics
) -> DirectorySettings:
    read = values.reader(findings)
    connections = read.number("ST_DB_LDAP_CONNECTIONS_NUMBER")
    high, low = _pending(read, findings)
    _check_type(read, findings)
    return DirectorySettings(
        only_passwords=read.flag("ST_DB_LDAP_SSL_ONLY_FOR_PASSWORDS"),
        start_tls=read.flag("QUINTET_START_TLS"),
        allow_clear_service_bind=read.flag("QUINTET_ALLOW_CLEAR_SERVICE_BIND"),
        allow_expired_passwords=read.flag("QUINTET_ALLOW_EXPIRED_PASSWORDS"),
        login_domains=tuple(domain.casefold() for domain in read.words("QUINTET_LOGIN_DOMAINS")),
        sign_in_limit=read.number("QUINTET_SIGN_IN_LIMIT"),
        sign_in_network_limit=read.number("QUINTET_SIGN_IN_NETWORK_LIMIT"),
        sasl_user=read.text("QUINTET_SASL_USER") or None,
        connections_per_task=connections,
        bind_connections=2 * connections,
        pending_high=high,
        pending_low=low,
        max_results=read.number("ST_DB_LDAP_MAX_RESULTS"),
        max_members=_members(read, findings),
        browse=not read.flag("VPDIR_IGNORE_BROWSE"),
        mail_shortcut=read.text("USE_SEPARATE_FILTER_FOR_MAIL_SEARCHES").casefold() not in OFF,
        respray_interval=60.0 * read.number("ST_DB_LDAP_RESPRAY_INTERVAL") or None,
        operation_timeout=read.seconds("QUINTET_OPERATION_TIMEOUT"),
        connect_timeout=read.seconds("QUINTET_CONNECT_TIMEOUT"),
        refresh_interval=community.refresh_interval,
        config_refresh_interval=community.config_refresh_interval,
        resolve_blacklist=_domains(read, "ST_RESOLVE_BLACKLIST", findings),
        resolve_whitelist=_domains(read, "ST_RESOLVE_WHITELIST", findings),
    )


def read_traces(values: IniValues, findings: Diagnostics) -> TraceSettings:
    read = values.reader(findings)
    return TraceSettings(
        ldap=read.flag("VP_LDAP_TRACE"),
        tls=read.flag("ST_TLS_DEBUG"),
        user_info=read.flag("STUSERINFO_TRAFFIC_TRACE")
        or read.number("USERINFO_DEBUG_LEVEL") >= _USERINFO_TRACE,
    )


def _pending(read: SettingsReader, findings: Diagnostics) -> tuple[int, int]:
    """Both limits; LOW must be below MAX, and is half of it when only MAX is set lower."""
    usual = DirectorySettings()
    high = read.number("ST_DB_LDAP_PENDING_MAX")
    low = read.number("ST_DB_LDAP_PENDING_LOW", min(usual.pending_low, high // 2))
    if low < high:
        return high, low
    value = read.value("ST_DB_LDAP_PENDING_LOW") or read.value("ST_DB_LDAP_PENDING_MAX")
    if value is not None:
        message = f"ST_DB_LDAP_PENDING_LOW is {low}, and ST_DB_LDAP_PENDING_MAX is {high}"
        fix = "set ST_DB_LDAP_PENDING_LOW below ST_DB_LDAP_PENDING_MAX"
        findings.add(Finding.Q61, value.place, value.key, message, fix)
    return usual.pending_high, usual.pending_low


def _members(read: SettingsReader, findings: Diagnostics) -> int:
    most, value = read.number("QUINTET_MAX_MEMBERS"), read.value("QUINTET_MAX_MEMBERS")
    if value is not None and most > DOCUMENTED_MEMBERS:
        message = f"{value.key} is {most}; Sametime's clients are made for {DOCUMENTED_MEMBERS} members"
        findings.add(Finding.Q69, value.place, value.key, message)
    return most


def _check_type(read: SettingsReader, findings: Diagnostics) -> None:
    value = read.value("DirectoryType")
    if value is not None and value.text.strip().casefold() != "ldap":
        message = f"{value.key} {shown(value.text)} is not supported; LDAP is used"
        findings.add(Finding.Q61, value.place, value.key, message, "write LDAP", severity=Severity.WARNING)


def _domains(read: SettingsReader, name: str, findings: Diagnostics) -> tuple[str, ...]:
    value = read.value(name)
    if value is not None and len(value.text) > _LONGEST_LIST:
        message = f"{value.key} is longer than Sametime's {_LONGEST_LIST} characters"
        findings.add(Finding.Q69, value.place, value.key, message, severity=Severity.WARNING)
    return tuple(domain.casefold() for domain in read.words(name))
