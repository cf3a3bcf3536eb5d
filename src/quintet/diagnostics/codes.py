"""What a code is. The codes themselves are in `pitfalls` (D1 and on) and `findings` (Q4 and on)."""

from enum import Enum


class Severity(Enum):
    """How bad a problem is, the worst first."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


class Code(Enum):
    """One kind of problem, under which an administrator finds everything about it.

    A code is written as its page: the usual severity and the title on the first line, then paragraphs that
    begin with `impact:` (what follows from the problem), `fix:` (what to do) and, if there are any, `see:`
    (pages below `docs`). Impact and fix hold in general: a diagnostic mostly has a more exact fix. A code is
    never given to another problem, even when nothing finds the old one any more.
    """

    severity: Severity
    title: str
    impact: str
    fix: str
    see: tuple[str, ...]

    def __init__(self, page: str) -> None:
        head, *lines = page.splitlines()
        usual, _, self.title = head.partition(": ")
        self.severity = Severity(usual)
        paragraphs: dict[str, list[str]] = {"impact:": [], "fix:": [], "see:": []}
        for line in lines:
            label, _, rest = line.strip().partition(" ")
            if label in paragraphs:
                paragraph = paragraphs[label]
                paragraph.append(rest)
            else:
                paragraph.append(line.strip())
        self.impact, self.fix = " ".join(paragraphs["impact:"]), " ".join(paragraphs["fix:"])
        self.see = tuple(" ".join(paragraphs["see:"]).split(", ")) if paragraphs["see:"] else ()

    @property
    def order(self) -> tuple[str, int]:
        """Where the code stands in a list: D9 before D10, and D40 before Q4."""
        return self.name[0], int(self.name[1:])

    def __str__(self) -> str:
        return self.name

    def __repr__(self) -> str:
        return f"{type(self).__name__}.{self.name}"
