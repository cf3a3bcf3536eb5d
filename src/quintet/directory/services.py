"""The five tasks, and which of them each protection level encrypts."""

from enum import Enum


class Service(Enum):
    """What the community server asks a directory; each has a connection of its own (reference 1.1)."""

    AUTHENTICATE = "authenticate"
    RESOLVE_LOGIN = "resolve-login"
    RESOLVE_NAMES = "resolve-names"
    BROWSE = "browse"
    GROUP_CONTENT = "group-content"


class Protection(Enum):
    """How much of the traffic the administrator chose to encrypt (reference 1.2)."""

    ALL = frozenset(Service)
    PASSWORDS = frozenset({Service.AUTHENTICATE})
    NONE = frozenset[Service]()

    def encrypts(self, task: Service) -> bool:
        return task in self.value

    @classmethod
    def of(cls, *, ssl_enabled: bool, only_passwords: bool) -> "Protection":
        """The level that the two switches mean together.

        The flag alone, without SSL, is read as PASSWORDS: whoever sets it wants no user's password in clear.
        """
        if only_passwords:
            return cls.PASSWORDS
        return cls.ALL if ssl_enabled else cls.NONE
