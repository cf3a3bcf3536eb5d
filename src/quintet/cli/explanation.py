"""What `quintet authenticate --explain` prints."""

from typing import Any

from quintet.admin.explain import SignInExplanation, Step
from quintet.cli.documents import person_or_group
from quintet.cli.groups import level_document, print_levels
from quintet.cli.show import print_line, print_table, printable


def explanation_document(found: SignInExplanation) -> dict[str, Any]:
    """The document of `--json`."""
    signed_in = found.person if found.signed_in else None
    return {
        "person": person_or_group(signed_in) if signed_in else None,
        "found": person_or_group(found.person) if found.person else None,
        "state": found.state.value if found.state else None,
        "meaning": found.outcome,
        "steps": [_step_document(step) for step in found.steps],
        "groups": [level_document(each) for each in found.groups],
        "card": list(found.card.fields) if found.card else None,
    }


def print_explanation(found: SignInExplanation) -> None:
    """Each step, then what they come to."""
    for number, step in enumerate(found.steps, 1):
        print_line((f"{number}. {step.service.value} at {step.server}", "bold"))
        entries = "" if step.found is None else f"{step.found} {'entry' if step.found == 1 else 'entries'}, "
        for label, value in (
            ("asked", step.asked),
            ("answer", f"{entries}result {step.result}"),
            ("meaning", step.meaning),
        ):
            print_line(f"   {label:<8}{printable(value)}")
    if found.person is not None:
        person = found.person
        print_table(("person", "mail"), [(person.name, person.mail, person.dn)], below={"dn": "person"})
        if found.groups:
            print_levels(found.groups)
        fields = ", ".join(found.card.fields) if found.card else "none"
        print_line(f"Business card: {fields}")
    style = "green" if found.signed_in else "red"
    outcome = "succeeded" if found.signed_in else "failed"
    print_line((f"Authentication {outcome}: ", style), printable(found.outcome))


def _step_document(step: Step) -> dict[str, Any]:
    return {
        "service": step.service.value,
        "server": step.server,
        "asked": step.asked,
        "found": step.found,
        "result": step.result,
        "meaning": step.meaning,
    }
