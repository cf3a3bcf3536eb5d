"""TLS for LDAP: the keys of sametime.ini as a profile, and whether the stores that it names can be used."""

from pathlib import Path

from quintet.config.ini_values import IniValues
from quintet.config.problems import Findings
from quintet.config.settings import Settings
from quintet.secret import Secret
from quintet.tls.profile import StoreKind, StoreRef, TlsProfile


def read_tls(values: IniValues, folder: Path, findings: Findings) -> TlsProfile:
    """The profile that the keys give, `STLDAP_` over `ST_`, key by key. Relative paths count from `folder`."""
    file, password = values.scoped("TLS_TRUST_STORE_FILE"), values.scoped("TLS_TRUST_STORE_PASSWORD")
    if file is None:
        return TlsProfile()
    kind = StoreKind.JKS if file[0].casefold().endswith(".jks") else StoreKind.PKCS12
    return TlsProfile(StoreRef(folder / file[0], kind, Secret(password[0]) if password else None))


def check_stores(settings: Settings, findings: Findings) -> None:
    pass
