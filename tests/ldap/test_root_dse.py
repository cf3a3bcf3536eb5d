"""What servers say of themselves, as they are: also what is malformed."""

from collections.abc import Mapping, Sequence

import pytest

from quintet.ldap import DN, Entry, RootDSE, ServerKind


def root(**told: Sequence[str | bytes]) -> RootDSE:
    values = {
        name: [value if isinstance(value, bytes) else value.encode() for value in given]
        for name, given in told.items()
    }
    return RootDSE(Entry("", values))


ACTIVE_DIRECTORY = {
    "defaultNamingContext": ["DC=corp,DC=example"],
    "namingContexts": ["DC=corp,DC=example", "CN=Configuration,DC=corp,DC=example"],
    "supportedCapabilities": ["1.2.840.113556.1.4.800"],
}


@pytest.mark.parametrize(
    ("told", "kind"),
    [
        ({"objectClass": ["top", "OpenLDAProotDSE"]}, ServerKind.OPENLDAP),
        ({"vendorName": ["The OpenLDAP Project"]}, ServerKind.OPENLDAP),
        ({"vendorName": ["389 Project"], "vendorVersion": ["389-Directory/2.3.1"]}, ServerKind.DIRECTORY_389),
        ({"vendorName": ["Red Hat Directory Server"]}, ServerKind.DIRECTORY_389),
        (ACTIVE_DIRECTORY, ServerKind.ACTIVE_DIRECTORY),
        ({"forestFunctionality": ["7"]}, ServerKind.ACTIVE_DIRECTORY),
        ({"isGlobalCatalogReady": ["TRUE"]}, ServerKind.ACTIVE_DIRECTORY),
        ({"rootDomainNamingContext": ["DC=corp"]}, ServerKind.ACTIVE_DIRECTORY),
        (ACTIVE_DIRECTORY | {"vendorName": ["Samba Team (https://www.samba.org)"]}, ServerKind.SAMBA),
        ({"vendorName": ["HCL"], "vendorVersion": ["Domino 12.0.2"]}, ServerKind.DOMINO),
        ({"vendorname": ["IBM Lotus Software"]}, ServerKind.DOMINO),
        ({"dominoServer": ["CN=hub/O=Acme"]}, ServerKind.DOMINO),
        ({"vendorName": ["Example, Inc."]}, ServerKind.UNKNOWN),
        ({}, ServerKind.UNKNOWN),
    ],
)
def test_the_product_is_recognised(told: Mapping[str, Sequence[str]], kind: ServerKind) -> None:
    found = root(**told)
    assert found.kind is kind
    assert kind.is_active_directory == (kind in (ServerKind.ACTIVE_DIRECTORY, ServerKind.SAMBA))
    assert str(found)


@pytest.mark.parametrize(
    ("values", "contexts"),
    [
        ([b"o=Example", b"cn=config"], ["o=example", "cn=config"]),
        ([b"\0"], [""]),
        ([b""], [""]),
        ([b" ", b"O=Acme", b"\0"], ["", "o=acme"]),
        ([b"not a name", b"\xff\xfe", b"o=x,", b"o=x"], ["o=x"]),
        ([], []),
    ],
)
def test_naming_contexts_survive_domino_and_what_is_not_a_dn(
    values: list[bytes], contexts: list[str]
) -> None:
    assert root(namingContexts=values).naming_contexts == tuple(map(DN.parse, contexts))


def test_the_main_naming_context() -> None:
    assert root(**ACTIVE_DIRECTORY).default_naming_context == DN.parse("dc=corp,dc=example")
    assert root(defaultNamingContext=["nonsense"]).default_naming_context is None
    assert root(defaultNamingContext=[b"\0"]).default_naming_context is None
    assert root().default_naming_context is None


def test_what_the_server_supports() -> None:
    found = root(
        supportedControl=["1.2.3", "1.2.4"],
        SUPPORTEDEXTENSION=["1.3"],
        supportedFeatures=["1.4"],
        supportedSASLMechanisms=["external", "SCRAM-SHA-256"],
        vendorName=["Example"],
        vendorVersion=["7"],
    )
    assert found.controls == {"1.2.3", "1.2.4"}
    assert (found.extensions, found.features) == (frozenset({"1.3"}), frozenset({"1.4"}))
    assert found.sasl_mechanisms == ("EXTERNAL", "SCRAM-SHA-256")
    assert (found.vendor, str(found)) == ("Example 7", "an LDAP directory (Example 7)")
    assert (root().controls, root().sasl_mechanisms, root().vendor) == (frozenset(), (), "")
