r"""Login names in the form `DOMAIN\name`, as people at Windows machines type them.

Active Directory compares `sAMAccountName` without the domain (row S19), so no filter finds `CORP\ada`. The
domains in `QUINTET_LOGIN_DOMAINS` are taken off; any other is left, since it may be somebody else's domain.
"""

from collections.abc import Collection

_SEPARATOR = "\\"


def without_domain(name: str, domains: Collection[str]) -> str:
    r"""The name without one of the domains before a backslash.

    Args:
        name: A login name as typed.
        domains: The domains, in lower case. They are compared without regard to case.

    Returns:
        `ada` for `CORP\ada`; the name itself if it has another domain, or none, or nothing after it.
    """
    domain, found, rest = name.strip().partition(_SEPARATOR)
    if found and rest.strip() and domain.casefold() in domains:
        return rest.strip()
    return name
