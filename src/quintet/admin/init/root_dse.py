"""Which product a directory server is, from its root DSE."""

from dataclasses import dataclass
from enum import Enum

from quintet.directory.entries import first, texts
from quintet.ldap.connection import Connection
from quintet.ldap.filters import Present
from quintet.ldap.messages import BASE_OBJECT, SearchResultEntry

_ASKED = (
    "*",
    "+",
    "objectClass",
    "namingContexts",
    "defaultNamingContext",
    "forestFunctionality",
    "isGlobalCatalogReady",
    "dominoServer",
    "supportedCapabilities",
    "vendorName",
    "vendorVersion",
)
_AD_CAPABILITY = "1.2.840.113556.1.4.800"
_NOT_PEOPLE = (
    "cn=config",
    "cn=schema",
    "cn=monitor",
    "cn=changelog",
    "cn=accesslog",
    "o=ipaca",
    "o=netscaperoot",
)


class Product(Enum):
    """A directory product; the value is its name."""

    OPENLDAP = "OpenLDAP"
    DS389 = "389 Directory Server"
    ACTIVE_DIRECTORY = "Active Directory"
    SAMBA = "Samba, as a domain controller"
    DOMINO = "Domino"
    OTHER = "an LDAP directory"

    @property
    def is_active_directory(self) -> bool:
        """Whether it keeps its people as Active Directory does."""
        return self in (Product.ACTIVE_DIRECTORY, Product.SAMBA)


@dataclass(frozen=True, slots=True)
class Root:
    """The root DSE: the product, how it calls itself, and the contexts that may hold people."""

    product: Product
    vendor: str
    contexts: tuple[str, ...]

    def __str__(self) -> str:
        known = self.product is not Product.OTHER
        return f"{self.product.value} ({self.vendor})" if self.vendor and not known else self.product.value


async def read_root(connection: Connection) -> Root:
    """What the server publishes of itself. Raises LdapError."""
    found = await connection.search("", BASE_OBJECT, Present("objectClass"), _ASKED)
    return root_of(found.entries[0] if found.entries else SearchResultEntry("", {}))


def root_of(entry: SearchResultEntry) -> Root:
    vendor = " ".join(texts(entry, "vendorName") + texts(entry, "vendorVersion"))
    default = first(entry, "defaultNamingContext")
    product = product_of(entry, vendor.casefold())
    contexts = texts(entry, "namingContexts")
    if default and (product.is_active_directory or default in contexts):
        contexts = [default]
    people = tuple(each for each in contexts if not each.casefold().startswith(_NOT_PEOPLE))
    return Root(product, vendor, people)


def product_of(entry: SearchResultEntry, vendor: str) -> Product:
    """`vendor` is folded. Samba's root DSE has all that Active Directory's has, and its own name."""
    classes = {each.casefold() for each in texts(entry, "objectClass")}
    if "samba" in vendor:
        return Product.SAMBA
    if (
        _AD_CAPABILITY in texts(entry, "supportedCapabilities")
        or first(entry, "forestFunctionality") is not None
        or first(entry, "isGlobalCatalogReady") is not None
    ):
        return Product.ACTIVE_DIRECTORY
    if "domino" in vendor or "lotus" in vendor or first(entry, "dominoServer") is not None:
        return Product.DOMINO
    if "389" in vendor or "red hat directory" in vendor:
        return Product.DS389
    if "openldaprootdse" in classes or "openldap" in vendor:
        return Product.OPENLDAP
    return Product.OTHER
