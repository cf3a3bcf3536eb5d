"""What `quintet doctor` says: one finding for each thing that is wrong, with its cure."""

from dataclasses import dataclass

from quintet.diagnostics import Severity


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong or worth knowing. No field holds a secret.

    `code` is a row of the reference (D1 to D40) or one of ours (Q1 and on). `seen` tells what was found
    where, `why` what comes of it, `cure` the command, or the file, line and text, that mends it.
    """

    code: str
    severity: Severity
    title: str
    seen: str
    why: str
    fix: str


@dataclass(frozen=True, slots=True)
class Kind:
    """All findings of one code. `cure` is general; a finding mostly has a more exact one."""

    code: str
    severity: Severity
    title: str
    why: str
    fix: str

    def finding(
        self, seen: str, fix: str | None = None, *, why: str | None = None, severity: Severity | None = None
    ) -> Finding:
        return Finding(
            self.code,
            severity or self.severity,
            self.title,
            _sentence(seen),
            why or self.why,
            _sentence(fix or self.fix),
        )


def _sentence(text: str) -> str:
    """`text` without its last stop and blanks, so that all findings end alike."""
    return text.strip().rstrip(".")


def order_of(finding: Finding) -> tuple[int, str, int, str]:
    """Errors first, then by code as people count."""
    letter, number = finding.code[0], finding.code[1:]
    return list(Severity).index(finding.severity), letter, int(number), finding.seen
