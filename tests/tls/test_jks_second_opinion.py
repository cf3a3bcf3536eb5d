"""Our `.jks` beside that of `pyjks`, which `script/setup` installs without its C parts."""

import importlib

from cryptography.hazmat.primitives import serialization

from quintet.tls.stores import (
    KeyEntry,
    TrustedEntry,
)
from quintet.tls.stores.entries import Contents
from quintet.tls.stores.jks import read_jks, write_jks
from support import certs

jks = importlib.import_module("jks")  # by name, since it has no types
CA = certs.authority()
LEAF = certs.leaf(CA, *certs.LOCAL)
PKCS8 = LEAF.key.private_bytes(
    serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
)


def test_pyjks_reads_what_we_write() -> None:
    ours = Contents(
        (TrustedEntry("ca", CA.certificate),),
        (KeyEntry("mux", LEAF.key, LEAF.certificate, (CA.certificate,)),),
    )
    theirs = jks.KeyStore.loads(write_jks(ours, "pässword"), "pässword")
    assert theirs.certs["ca"].cert == CA.der
    assert theirs.private_keys["mux"].pkey_pkcs8 == PKCS8
    assert [data for _, data in theirs.private_keys["mux"].cert_chain] == [LEAF.der, CA.der]


def test_we_read_what_pyjks_writes() -> None:
    key = jks.PrivateKeyEntry.new("mux", [LEAF.der, CA.der], PKCS8, "pkcs8")
    trusted = jks.TrustedCertEntry.new("ca", CA.der)
    ours = read_jks(jks.KeyStore.new("jks", [key, trusted]).saves("pässword"), "pässword")
    assert [(entry.alias, entry.certificate) for entry in ours.trusted] == [("ca", CA.certificate)]
    assert ours.keys[0].certificate == LEAF.certificate
    assert ours.keys[0].key is not None
    assert ours.keys[0].key.public_key() == LEAF.key.public_key()
