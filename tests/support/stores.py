"""Stores to write, read and break in tests."""

import dataclasses
from pathlib import Path

from cryptography.hazmat.primitives import serialization

from quintet.secret import Secret
from quintet.tls import KeyEntry, Store, StoreKind, StoreLocation, new_store, write_store
from support import certs
from support.keytool import PASSWORD

FORMS = [(StoreKind.PKCS12, False), (StoreKind.PKCS12, True), (StoreKind.JKS, False)]
IDS = ["p12", "p12-legacy", "jks"]
CA = certs.authority()
MIDDLE = certs.authority("Intermediate", issuer=CA)
LEAF = certs.leaf(MIDDLE, *certs.LOCAL)
OWN = certs.self_signed(kind="p256")


def full() -> Store:
    """Two trusted certificates and two keys, one with a chain."""
    store = new_store().with_trusted("ca", CA.certificate).with_trusted("own", OWN.certificate)
    keys = (
        KeyEntry("mux", LEAF.key, LEAF.certificate, LEAF.chain),
        KeyEntry("other", OWN.key, OWN.certificate),
    )
    return dataclasses.replace(store, keys=keys)


def pem(key: object) -> bytes:
    return key.private_bytes(  # type: ignore[attr-defined,no-any-return]
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def ref(path: Path, **changes: object) -> StoreLocation:
    kind = StoreKind.JKS if path.suffix == ".jks" else StoreKind.PKCS12
    return dataclasses.replace(StoreLocation(path, kind, Secret(PASSWORD)), **changes)  # type: ignore[arg-type]


WRITTEN = {form: write_store(full(), PASSWORD, kind=form[0], legacy=form[1]) for form in FORMS}
