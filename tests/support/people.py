"""People who do not exist, for the directories of real servers: ordinary names, and some hard on parsers."""

import base64
import hashlib
import zlib
from itertools import islice, product

GIVEN = (
    *("Anna", "Bernd", "Clara", "Dmitri", "Elif", "Farid", "Greta", "Hannah", "Ibrahim", "Julia"),
    *("Kofi", "Lena", "Mateo", "Nora", "Olaf", "Priya", "Quentin", "Rosa", "Samir", "Tanja"),
)
FAMILY = (
    *("Albrecht", "Bauer", "Costa", "Dietrich", "Eriksen", "Fischer", "Garcia", "Hoffmann", "Ivanov"),
    *("Jansen", "Keller", "Lindgren", "Martin", "Novak", "Okafor"),
)
HEADCOUNT = 270

PHOTO = zlib.decompress(
    base64.b64decode(
        "eNr7f+P/AwYBLzdPNwZGRgYGRiBk+H+bwZmBg0Lw/wCDIAdDAkMCM6MgA5MgA7Mgw/8jDPJAK1gZwYABChiZmFlY2dg5OLm4gQpE"
        "BOASMPD/FgMPMyMDEwMzA4M9w3dnB3QFDMyn5ermMHw1X6CAELPZ+PzlAf7gKiYGQgBNJYKLZiwSF6wGKHLlXkMDw6fj85cDpZG0"
        "MDDY+r7gYODXqfxVAORATQBzkbSA1YABgoukBhWw/78JAI4LUpE="
    )
)
"""A JPEG of 96 by 96 pixels."""

ODD_NAMES = {
    "comma": ("Kim", "Lee, Jr.", "Lee, Jr., Kim"),
    "paren": ("John", "Smith", "John Smith (Contractor)"),
    "star": ("Night", "Shift", "Night*Shift Lead"),
    "backslash": ("Back", "Slash", "Back\\Slash Account"),
    "quote": ("Jane", "Jones", 'Jane "JJ" Jones'),
    "plus": ("Ann", "Semi", "Ann; R+D = <Desk 4>"),
    "script": ("Eve", "Script", "<script>alert(1)</script>"),
    "hash": ("Help", "Desk", "#1 Help Desk"),
    "slash": ("Ops", "OnCall", "Ops/On-Call"),
    "blanks": ("Double", "Blank", "Double  Blank"),
    "percent": ("Percy", "Cent", "100%s Percy"),
    "umlaut": ("Jürgen", "Müller-Lüdenscheidt", "Jürgen Müller-Lüdenscheidt"),
    "sharp": ("Jörg", "Groß", "Jörg Groß"),
    "decomposed": ("Jose\N{COMBINING ACUTE ACCENT}", "Nun\N{COMBINING TILDE}ez", "Jose\u0301 Nun\u0303ez"),
    "kanji": ("太郎", "山田", "山田 太郎"),
    "hangul": ("민준", "김", "김 민준"),
    "cyrillic": ("Владимир", "Шукшин", "Владимир Шукшин"),
    "arabic": ("محمد", "علي", "محمد علي"),
    "apostrophe": ("Sinéad", "O'Neil", "Sinéad O'Neil"),
    "long": ("Maximilian", "L" * 64, "M" * 64),
    "emoji": ("Party", "Person", "Party 🎉 Person"),
}
"""Login name: given name, family name, common name. All of them sign in like others."""


def password_of(login: str) -> str:
    """The password of the user with that login name, on every server filled from here."""
    return f"{login}-Secret1"


def colleagues() -> list[tuple[str, str]]:
    """Given and family names of the ordinary users; no two are alike."""
    return list(islice(product(GIVEN, FAMILY), HEADCOUNT))


def staff_login(number: int) -> str:
    """The login name of an ordinary user, 0 to 269."""
    given, family = colleagues()[number]
    return f"{given[0]}{family}{number}".lower()


def telephone(login: str) -> str:
    """A number from a range set aside for fiction."""
    return f"+49 30 23125 {int(hashlib.sha256(login.encode()).hexdigest(), 16) % 1000:03}"
