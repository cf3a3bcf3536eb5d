"""The names of a store's entries, told apart as Java does: without case."""


class Aliases:
    """Those that are taken in one store."""

    def __init__(self) -> None:
        self._taken: set[str] = set()
        self._next: dict[str, int] = {}

    def unique(self, alias: str) -> str:
        """The alias, with a number behind it when it is taken; a missing one is a number, as in Java."""
        folded = alias.lower()
        number = self._next.get(folded, 1)
        found = alias or str(number)
        while found.lower() in self._taken:
            number += 1
            found = f"{alias}-{number}" if alias else str(number)
        self._next[folded] = number
        self._taken.add(found.lower())
        return found
