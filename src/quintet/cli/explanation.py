"""What `quintet authenticate --explain` prints."""

from typing import Any

from quintet.admin.explain import SignInExplanation, Step
from quintet.cli.documents import person_or_group
from quintet.cli.groups import level_document, print_levels
from quintet.cli.show import print_line, print_table, printable
from quintet.directory import AccountState


def explanation_document(found: SignInExplanation) -> dict[str, Any]:
    """The document of `--json`."""
    signed_in = found.person if found.signed_in else None
    return {
        "person": person_or_group(signed_in) if signed_in else None,
        "found": person_or_group(found.person) if found.person else None,
        "state": found.state.value if found.state else None,
        "meaning": _outcome(found),
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
    print_line((f"Authentication {outcome}: ", style), printable(_outcome(found)))


def _outcome(found: SignInExplanation) -> str:
    if found.state is not None and (found.failure is None or not found.state.signs_in):
        allowed = found.signed_in and not found.state.signs_in
        return found.state.meaning + (" (QUINTET_ALLOW_EXPIRED_PASSWORDS=1)" if allowed else "")
    reason = getattr(found.failure, "reason", "")
    return reason or (str(found.failure) if found.failure else AccountState.ACTIVE.meaning)


def _step_document(step: Step) -> dict[str, Any]:
    return {
        "service": step.service.value,
        "server": step.server,
        "asked": step.asked,
        "found": step.found,
        "result": step.result,
        "meaning": step.meaning,
    }
