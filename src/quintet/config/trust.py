"""TLS for LDAP: the keys of sametime.ini as a profile, and whether the stores that it names can be used."""

from pathlib import Path

from quintet.config.ini import FILE
from quintet.config.ini_values import IniValues, place_of
from quintet.config.known import LDAP_PREFIXES
from quintet.config.problems import Findings, Place
from quintet.config.settings import Settings
from quintet.tls.profile import TlsProfile, resolve_profile


def read_tls(values: IniValues, folder: Path, findings: Findings) -> TlsProfile:
    """The profile that the keys give, `STLDAP_` over `ST_`. Relative paths count from `folder`."""
    profile, problems = resolve_profile(values.scoped, base=folder)
    for problem in problems:
        tell = findings.error if problem.fatal else findings.warning
        if problem.origin is None:
            tell(Place(FILE), LDAP_PREFIXES[0] + problem.key, problem.message)
        else:
            tell(place_of(problem.origin), problem.origin.key, problem.message)
    return profile


def check_stores(settings: Settings, findings: Findings) -> None:
    pass
