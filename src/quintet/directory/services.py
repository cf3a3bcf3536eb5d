"""The six services, and the policy: which of them each protection level encrypts."""

from enum import Enum


class Service(Enum):
    """One use of the directory. Each has connections of its own (rows C1 and C6).

    The first five are the tasks of the community server, the last one is the business cards.
    """

    AUTHENTICATE = "authenticate"
    RESOLVE_LOGIN = "resolve-login"
    RESOLVE_NAMES = "resolve-names"
    BROWSE = "browse"
    GROUP_CONTENT = "group-content"
    BUSINESS_CARD = "business-card"


TASKS = tuple(service for service in Service if service is not Service.BUSINESS_CARD)
"""The services that one protection level decides about. Business cards have their own switch."""


class Protection(Enum):
    """How much of the traffic the administrator chose to encrypt (rows C1 to C4)."""

    ALL = frozenset(TASKS)
    PASSWORDS = frozenset({Service.AUTHENTICATE})
    NONE = frozenset[Service]()

    def encrypts(self, service: Service) -> bool:
        """Whether this level encrypts the service.

        No level encrypts BUSINESS_CARD: `SslEnabled` of UserInfoConfig.xml decides about it (row C6).
        """
        return service in self.value

    @classmethod
    def of(cls, *, ssl_enabled: bool, only_passwords: bool) -> "Protection":
        """The level that the two switches mean together.

        The flag alone, without SSL, is read as PASSWORDS: it says that no user's password is sent
        unencrypted.
        """
        if only_passwords:
            return cls.PASSWORDS
        return cls.ALL if ssl_enabled else cls.NONE
