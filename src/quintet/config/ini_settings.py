"""The keys of sametime.ini that are about LDAP, apart from TLS (reference 2.9, 2.10)."""

from quintet.config.ini_values import IniValues
from quintet.config.parsers import flag, number, seconds, words
from quintet.config.settings import DirectorySettings, TraceSettings
from quintet.config.stcommunityconfig import Community
from quintet.diagnostics import Diagnostics, shown

_USERINFO_TRACE = 5
_LONGEST_LIST = 64_000
_DOCUMENTED_MEMBERS = 1000


def read_directory(values: IniValues, community: Community, findings: Diagnostics) -> DirectorySettings:
    def on(name: str) -> bool:
        return flag(values.get(name), default=False, findings=findings)

    connections = number(values.get("ST_DB_LDAP_CONNECTIONS_NUMBER"), 1, findings, least=1, most=100)
    high, low = _pending(values, findings)
    respray = number(values.get("ST_DB_LDAP_RESPRAY_INTERVAL"), 0, findings, least=0, most=525_600)
    sasl_user = values.get("QUINTET_SASL_USER")
    _check_type(values, findings)
    return DirectorySettings(
        only_passwords=on("ST_DB_LDAP_SSL_ONLY_FOR_PASSWORDS"),
        start_tls=on("QUINTET_START_TLS"),
        allow_clear_service_bind=on("QUINTET_ALLOW_CLEAR_SERVICE_BIND"),
        allow_expired_passwords=on("QUINTET_ALLOW_EXPIRED_PASSWORDS"),
        login_domains=_domains(values, "QUINTET_LOGIN_DOMAINS", findings),
        sasl_user=sasl_user.text if sasl_user else None,
        connections_per_task=connections,
        bind_connections=2 * connections,
        pending_high=high,
        pending_low=low,
        max_results=number(values.get("ST_DB_LDAP_MAX_RESULTS"), 1000, findings, least=1),
        max_members=_members(values, findings),
        browse=not on("VPDIR_IGNORE_BROWSE"),
        respray_interval=60.0 * respray or None,
        operation_timeout=seconds(values.get("QUINTET_OPERATION_TIMEOUT"), 30.0, findings),
        connect_timeout=seconds(values.get("QUINTET_CONNECT_TIMEOUT"), 6.0, findings),
        refresh_interval=community.refresh_interval,
        config_refresh_interval=community.config_refresh_interval,
        resolve_blacklist=_domains(values, "ST_RESOLVE_BLACKLIST", findings),
        resolve_whitelist=_domains(values, "ST_RESOLVE_WHITELIST", findings),
    )


def read_traces(values: IniValues, findings: Diagnostics) -> TraceSettings:
    def on(name: str) -> bool:
        return flag(values.get(name), default=False, findings=findings)

    level = number(values.get("USERINFO_DEBUG_LEVEL"), 0, findings, least=0)
    return TraceSettings(
        ldap=on("VP_LDAP_TRACE"),
        tls=on("ST_TLS_DEBUG"),
        user_info=on("STUSERINFO_TRAFFIC_TRACE") or level >= _USERINFO_TRACE,
    )


def _pending(values: IniValues, findings: Diagnostics) -> tuple[int, int]:
    """Both limits; LOW must be below MAX, and is half of it when only MAX is set lower."""
    most, least = values.get("ST_DB_LDAP_PENDING_MAX"), values.get("ST_DB_LDAP_PENDING_LOW")
    high = number(most, 60, findings, least=1, most=100_000)
    low = number(least, min(30, high // 2), findings, least=0, most=100_000)
    if low >= high:
        value = least or most
        if value is not None:
            findings.error(
                value.place,
                value.key,
                f"ST_DB_LDAP_PENDING_LOW is {low} and must be below ST_DB_LDAP_PENDING_MAX, which is {high}",
            )
        return 60, 30
    return high, low


def _members(values: IniValues, findings: Diagnostics) -> int:
    value = values.get("QUINTET_MAX_MEMBERS")
    most = number(value, _DOCUMENTED_MEMBERS, findings, least=1, most=1_000_000)
    if value is not None and most > _DOCUMENTED_MEMBERS:
        findings.note(
            value.place, value.key, f"Sametime's clients are made for public groups of {_DOCUMENTED_MEMBERS}"
        )
    return most


def _check_type(values: IniValues, findings: Diagnostics) -> None:
    value = values.get("DirectoryType")
    if value is not None and value.text.casefold() != "ldap":
        findings.warning(value.place, value.key, f"{shown(value.text)} is not supported; LDAP is used")


def _domains(values: IniValues, name: str, findings: Diagnostics) -> tuple[str, ...]:
    value = values.get(name)
    if value is not None and len(value.text) > _LONGEST_LIST:
        findings.warning(value.place, value.key, f"is longer than Sametime's {_LONGEST_LIST} characters")
    return tuple(domain.casefold() for domain in words(value))
