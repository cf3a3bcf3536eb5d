"""`quintet explain`: what is known of a code that `check`, `doctor` and the log name."""

from typing import Annotated

import typer
from rich.text import Text

from quintet.cli.app import command
from quintet.cli.check import STYLES
from quintet.cli.exit_codes import UsageError
from quintet.cli.show import AsJson, out, print_json, text
from quintet.diagnostics import CODES, Code, near_codes


@command
def explain(
    code: Annotated[str, typer.Argument(metavar="CODE", help="A code such as D4 or Q61.")],
    as_json: AsJson = False,
) -> None:
    """Shows its severity, its impact, the fix, and where to read more."""
    found = CODES.get(code.strip().upper())
    if found is None:
        near = near_codes(code)
        fix = f"did you mean {', '.join(near)}?" if near else "check and doctor print the codes of problems"
        raise UsageError(f"unknown code {code!r}", fix)
    if as_json:
        print_json(
            {
                "code": found.name,
                "severity": found.severity.value,
                "title": found.title,
                "impact": found.impact,
                "fix": found.fix,
                "links": links(found),
            }
        )
        return
    heading = Text.assemble((f"{found} ", STYLES[found.severity]), text(found.title, "bold"))
    out().print(heading, soft_wrap=True)
    for label, value in (
        ("severity", found.severity.value),
        ("impact", found.impact),
        ("fix", found.fix),
        *(("see", link) for link in links(found)),
    ):
        out().print(Text.assemble((f"  {label:<9}", "dim"), text(value)), soft_wrap=True)


def links(code: Code) -> list[str]:
    """Pages of the documentation, from the project's folder."""
    return [f"docs/{page}" for page in (f"reference/findings.md#{code.name.lower()}", *code.see)]
