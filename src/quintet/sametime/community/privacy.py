"""Who may see a user (P15), with IDs compared by their meaning."""

from dataclasses import dataclass
from typing import Final, Self

from quintet.sametime.ids import id_key
from quintet.sametime.wire.blocks import VISIBLE_TO_ALL, PrivacyInfo


@dataclass(frozen=True, slots=True)
class PrivacyRules:
    """A privacy list, ready to be asked. Equal rules hide a user from the same people."""

    deny: bool
    users: frozenset[str]

    @classmethod
    def of(cls, privacy: PrivacyInfo) -> Self:
        return cls(privacy.deny, frozenset([id_key(each.user) for each in privacy.users]))

    def allow(self, viewer: str) -> bool:
        """Whether the user with this ID key may see the owner of the list."""
        return (viewer in self.users) is not self.deny

    @property
    def allow_all(self) -> bool:
        return self.deny and not self.users


ALLOW_ALL: Final = PrivacyRules.of(VISIBLE_TO_ALL)

ALLOW_NONE: Final = PrivacyRules(deny=False, users=frozenset())
"""In force while a user's list cannot be read: a stricter one may be stored."""
