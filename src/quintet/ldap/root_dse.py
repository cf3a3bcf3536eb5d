"""What a server says of itself: the root DSE (RFC 4512 section 5.1), and which product it shows."""

from dataclasses import dataclass
from enum import Enum
from typing import Final, final

from quintet.ldap.dn import DN
from quintet.ldap.errors import DNSyntaxError
from quintet.ldap.results import Entry

ATTRIBUTES: Final = (
    "*",
    "+",
    "objectClass",
    "namingContexts",
    "defaultNamingContext",
    "rootDomainNamingContext",
    "supportedControl",
    "supportedExtension",
    "supportedFeatures",
    "supportedSASLMechanisms",
    "supportedLDAPVersion",
    "supportedCapabilities",
    "vendorName",
    "vendorVersion",
    "forestFunctionality",
    "isGlobalCatalogReady",
    "dominoServer",
)
"""What is asked for: operational attributes by name too, since not every server knows `+`."""

_ACTIVE_DIRECTORY_CAPABILITY = "1.2.840.113556.1.4.800"
_ONLY_IN_ACTIVE_DIRECTORY = ("forestFunctionality", "isGlobalCatalogReady", "rootDomainNamingContext")


class ServerKind(Enum):
    """A directory product; the value is its name."""

    ACTIVE_DIRECTORY = "Active Directory"
    SAMBA = "Samba, as a domain controller"
    OPENLDAP = "OpenLDAP"
    DIRECTORY_389 = "389 Directory Server"
    DOMINO = "Domino"
    UNKNOWN = "an LDAP directory"

    @property
    def is_active_directory(self) -> bool:
        """Whether it keeps users and groups as Active Directory does."""
        return self in (ServerKind.ACTIVE_DIRECTORY, ServerKind.SAMBA)


@final
@dataclass(frozen=True, slots=True)
class RootDSE:
    """What a server says of itself. `root_dse` of a connection or a pool reads it.

    Attributes:
        entry: The entry as it came, for what has no property here.
    """

    entry: Entry

    @property
    def naming_contexts(self) -> tuple[DN, ...]:
        """The DNs at the top of what the server holds. What is not a DN is left out.

        Domino gives the root, as a value that is empty or one NUL byte: that is the empty DN.
        """
        found = (_context(text) for text in self.entry.texts("namingContexts"))
        return tuple(dict.fromkeys(each for each in found if each is not None))

    @property
    def default_naming_context(self) -> DN | None:
        """The main one, as Active Directory and 389 Directory Server name it; None if the server does not."""
        return next(filter(None, map(_context, self.entry.texts("defaultNamingContext"))), None)

    @property
    def controls(self) -> frozenset[str]:
        """The OIDs of the controls that the server supports, such as `PagedResults.OID`."""
        return frozenset(self.entry.texts("supportedControl"))

    @property
    def extensions(self) -> frozenset[str]:
        """The OIDs of the extended operations that the server supports."""
        return frozenset(self.entry.texts("supportedExtension"))

    @property
    def features(self) -> frozenset[str]:
        """The OIDs of other features that the server supports."""
        return frozenset(self.entry.texts("supportedFeatures"))

    @property
    def sasl_mechanisms(self) -> tuple[str, ...]:
        """The SASL mechanisms that the server offers on this connection, in capital letters."""
        return tuple(name.upper() for name in self.entry.texts("supportedSASLMechanisms"))

    @property
    def vendor(self) -> str:
        """`vendorName` and `vendorVersion` (RFC 3045) in one text; empty if the server shows neither."""
        return " ".join(self.entry.texts("vendorName") + self.entry.texts("vendorVersion"))

    @property
    def kind(self) -> ServerKind:
        """Which product it is, as far as the root DSE shows."""
        entry, vendor = self.entry, self.vendor.casefold()
        # Samba shows all that Active Directory shows, and its own name.
        if "samba" in vendor:
            return ServerKind.SAMBA
        if _ACTIVE_DIRECTORY_CAPABILITY in entry.texts("supportedCapabilities") or any(
            map(entry.get, _ONLY_IN_ACTIVE_DIRECTORY)
        ):
            return ServerKind.ACTIVE_DIRECTORY
        if "domino" in vendor or "lotus" in vendor or entry.get("dominoServer"):
            return ServerKind.DOMINO
        if "389" in vendor or "red hat directory" in vendor:
            return ServerKind.DIRECTORY_389
        classes = {name.casefold() for name in entry.texts("objectClass")}
        if "openldaprootdse" in classes or "openldap" in vendor:
            return ServerKind.OPENLDAP
        return ServerKind.UNKNOWN

    def __str__(self) -> str:
        kind = self.kind
        known = kind is not ServerKind.UNKNOWN
        return f"{kind.value} ({self.vendor})" if self.vendor and not known else kind.value


def _context(text: str) -> DN | None:
    try:
        return DN.parse(text.strip("\0 "))
    except DNSyntaxError:
        return None
