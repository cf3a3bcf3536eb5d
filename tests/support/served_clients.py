"""Sametime clients at a `quintet serve` that is a process of its own."""

from pathlib import Path

from support import keytool
from support.certs import Issued
from support.meanwhile import Connected, MeanwhileClient
from support.serving import free_port

NO_DRAIN = {"STI__Config__QUINTET_SHUTDOWN_SECONDS": "0", "STI__Config__QUINTET_ADDRESS": "127.0.0.1"}
"""Clients are not let go one after the other at the end, and no other machine can connect."""


def port_environ(port: int = 0, /, **config: str) -> dict[str, str]:
    """The variables of a server with a Sametime port on loopback; a free one for 0."""
    keys = {f"STI__Config__{name}": value for name, value in config.items()}
    return {**NO_DRAIN, "STI__Debug__VPMX_PORT": str(port or free_port()), **keys}


def certificate_keys(store: Path) -> dict[str, str]:
    """The keys of `[Config]` that show clients the certificate in this key store."""
    prefix = "STMUX_TLS_KEY_STORE_"
    return {
        f"{prefix}TYPE": "p12",
        f"{prefix}FILE": str(store),
        f"{prefix}PASSWORD": keytool.PASSWORD,
    }


def write_certificate(store: Path, issued: Issued) -> Path:
    """A key store with this certificate; one that is there is replaced."""
    store.unlink(missing_ok=True)
    return keytool.openssl_key_store(store, issued)


def sign_in(line: Connected, *names: str) -> list[MeanwhileClient]:
    """Clients of these users of the small organisation, signed in."""
    clients = [MeanwhileClient(name, f"{name}-secret") for name in names]
    for each in clients:
        line.connect(each)
    line.pump(lambda: all(each.is_started for each in clients))
    return clients
