"""Business cards: what a community shows of a person, from one LDAP server or several.

::

    async with Cards(load(folder, os.environ)) as cards:
        card = await cards.card("ada@example.com")
"""

from quintet.cards.card import Card
from quintet.cards.cards import Cards
from quintet.cards.fields import Field, PhotoError, photo_type
from quintet.cards.lookup import by_user
from quintet.cards.plan import ANONYMOUS, AUTHENTICATED

__all__ = [
    "ANONYMOUS",
    "AUTHENTICATED",
    "Card",
    "Cards",
    "Field",
    "PhotoError",
    "by_user",
    "photo_type",
]
