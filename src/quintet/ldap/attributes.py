"""Attribute descriptions (RFC 4512 section 2.5): types by any of their names, and options.

`commonName`, `CN` and `2.5.4.3` are one type. Behind a type, options may stand after semicolons: `cn;lang-de`
is a description of its own, while `;binary` (RFC 4522) and Active Directory's `;range=0-1499` only say how
the values are transferred.
"""

import re
from typing import Final

_NAMES = """
    objectClass 2.5.4.0
    aliasedObjectName aliasedEntryName 2.5.4.1
    cn commonName 2.5.4.3
    sn surname 2.5.4.4
    serialNumber 2.5.4.5
    c countryName 2.5.4.6
    l localityName 2.5.4.7
    st stateOrProvinceName 2.5.4.8
    street streetAddress 2.5.4.9
    o organizationName 2.5.4.10
    ou organizationalUnitName 2.5.4.11
    title 2.5.4.12
    description 2.5.4.13
    searchGuide 2.5.4.14
    businessCategory 2.5.4.15
    postalAddress 2.5.4.16
    postalCode 2.5.4.17
    postOfficeBox 2.5.4.18
    physicalDeliveryOfficeName 2.5.4.19
    telephoneNumber 2.5.4.20
    telexNumber 2.5.4.21
    teletexTerminalIdentifier 2.5.4.22
    facsimileTelephoneNumber fax 2.5.4.23
    x121Address 2.5.4.24
    internationaliSDNNumber 2.5.4.25
    registeredAddress 2.5.4.26
    destinationIndicator 2.5.4.27
    preferredDeliveryMethod 2.5.4.28
    member 2.5.4.31
    owner 2.5.4.32
    roleOccupant 2.5.4.33
    seeAlso 2.5.4.34
    userPassword 2.5.4.35
    userCertificate 2.5.4.36
    cACertificate 2.5.4.37
    authorityRevocationList 2.5.4.38
    certificateRevocationList 2.5.4.39
    crossCertificatePair 2.5.4.40
    name 2.5.4.41
    givenName gn 2.5.4.42
    initials 2.5.4.43
    generationQualifier 2.5.4.44
    x500UniqueIdentifier 2.5.4.45
    dnQualifier 2.5.4.46
    enhancedSearchGuide 2.5.4.47
    distinguishedName 2.5.4.49
    uniqueMember 2.5.4.50
    houseIdentifier 2.5.4.51
    uid userid 0.9.2342.19200300.100.1.1
    mail rfc822Mailbox 0.9.2342.19200300.100.1.3
    info 0.9.2342.19200300.100.1.4
    drink favouriteDrink 0.9.2342.19200300.100.1.5
    roomNumber 0.9.2342.19200300.100.1.6
    photo 0.9.2342.19200300.100.1.7
    userClass 0.9.2342.19200300.100.1.8
    host 0.9.2342.19200300.100.1.9
    manager 0.9.2342.19200300.100.1.10
    documentIdentifier 0.9.2342.19200300.100.1.11
    documentTitle 0.9.2342.19200300.100.1.12
    documentVersion 0.9.2342.19200300.100.1.13
    documentAuthor 0.9.2342.19200300.100.1.14
    documentLocation 0.9.2342.19200300.100.1.15
    homePhone homeTelephoneNumber 0.9.2342.19200300.100.1.20
    secretary 0.9.2342.19200300.100.1.21
    dc domainComponent 0.9.2342.19200300.100.1.25
    associatedDomain 0.9.2342.19200300.100.1.37
    associatedName 0.9.2342.19200300.100.1.38
    homePostalAddress 0.9.2342.19200300.100.1.39
    personalTitle 0.9.2342.19200300.100.1.40
    mobile mobileTelephoneNumber 0.9.2342.19200300.100.1.41
    pager pagerTelephoneNumber 0.9.2342.19200300.100.1.42
    co friendlyCountryName 0.9.2342.19200300.100.1.43
    uniqueIdentifier 0.9.2342.19200300.100.1.44
    organizationalStatus 0.9.2342.19200300.100.1.45
    buildingName 0.9.2342.19200300.100.1.48
    audio 0.9.2342.19200300.100.1.55
    documentPublisher 0.9.2342.19200300.100.1.56
    jpegPhoto 0.9.2342.19200300.100.1.60
    carLicense 2.16.840.1.113730.3.1.1
    departmentNumber 2.16.840.1.113730.3.1.2
    employeeNumber 2.16.840.1.113730.3.1.3
    employeeType 2.16.840.1.113730.3.1.4
    preferredLanguage 2.16.840.1.113730.3.1.39
    userSMIMECertificate 2.16.840.1.113730.3.1.40
    userPKCS12 2.16.840.1.113730.3.1.216
    displayName 2.16.840.1.113730.3.1.241
    labeledURI 1.3.6.1.4.1.250.1.57
    emailAddress email e pkcs9email 1.2.840.113549.1.9.1
    createTimestamp 2.5.18.1
    modifyTimestamp 2.5.18.2
    creatorsName 2.5.18.3
    modifiersName 2.5.18.4
    subschemaSubentry 2.5.18.10
    structuralObjectClass 2.5.21.9
    governingStructureRule 2.5.21.10
    namingContexts 1.3.6.1.4.1.1466.101.120.5
    altServer 1.3.6.1.4.1.1466.101.120.6
    supportedExtension 1.3.6.1.4.1.1466.101.120.7
    supportedControl 1.3.6.1.4.1.1466.101.120.13
    supportedSASLMechanisms 1.3.6.1.4.1.1466.101.120.14
    supportedLDAPVersion 1.3.6.1.4.1.1466.101.120.15
    supportedFeatures 1.3.6.1.4.1.4203.1.3.5
    vendorName 1.3.6.1.1.4
    vendorVersion 1.3.6.1.1.5
    entryUUID 1.3.6.1.1.16.4
    entryDN 1.3.6.1.1.20
"""
"""Each line is one type: its name in short, its other names, its OID (RFC 2798, 3045, 4512, 4519, 4523, 4524,
4530, 5020, and RFC 2985 for `emailAddress`)."""

_SPELLINGS = tuple(tuple(line.split()) for line in _NAMES.strip().splitlines())
_KEYS = {spelling.lower(): names[0].lower() for names in _SPELLINGS for spelling in names}

SHORT_NAMES: Final = {names[-1]: names[0] for names in _SPELLINGS}
"""From the OID of a type to its name in short."""

SECRETS: Final = frozenset(
    {
        "authpassword",
        "dbcspwd",
        "httppassword",
        "krbprincipalkey",
        "lmpwdhistory",
        "ntpwdhistory",
        "pwdhistory",
        "sambalmpassword",
        "sambantpassword",
        "supplementalcredentials",
        "unicodepwd",
        "userpassword",
    }
)
"""Types, by their keys, whose values no `repr` shows."""

DESCRIPTION: Final = r"(?:[A-Za-z][A-Za-z0-9_-]*|[0-9]+(?:\.[0-9]+)+)(?:;[A-Za-z0-9_-]+)*"
"""`attributedescription = attributetype options` (RFC 4512 section 2.5), as a regular expression.

Underscores are tolerated, as by servers.
"""

_TRANSFER_OPTION = re.compile(r"binary|range=.*", re.DOTALL)
_LONGEST_KNOWN = 128


def type_key(kind: str) -> str:
    """What is equal for all spellings of an attribute type: `2.5.4.3` and `commonName` give `cn`."""
    kind = kind.lower()
    return _KEYS.get(kind, kind)


def description_keys(description: str) -> tuple[str, str]:
    """What is equal for equal descriptions: by the name of the type, and by the type whatever its name is.

    Case, the order of options and the transfer options do not count.
    """
    return _known.get(description) or _keys(description)


_known: dict[str, tuple[str, str]] = {}
_MOST_KNOWN = 4096


def _keys(description: str) -> tuple[str, str]:
    kind, *options = description.lower().split(";")
    kept = "".join(f";{option}" for option in sorted(options) if not _TRANSFER_OPTION.fullmatch(option))
    keys = kind + kept, _KEYS.get(kind, kind) + kept
    if len(description) <= _LONGEST_KNOWN and len(_known) < _MOST_KNOWN:
        _known[description] = keys
    return keys
