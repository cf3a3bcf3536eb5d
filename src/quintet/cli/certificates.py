"""How certificates and the entries of stores are shown: as tables, and as JSON."""

from collections.abc import Iterable
from typing import Any

from rich.text import Text

from quintet.admin.listing import Row
from quintet.cli.show import out, print_table, printable, text
from quintet.tls import EXPIRES_SOON, Facts, Presented, facts_of


def print_entries(rows: Iterable[Row]) -> None:
    """The entries of a store, in a table that fits 80 columns."""
    print_table(
        ("alias", "certificate", "key, hash", "valid", "read by"),
        [(text(r.alias), _names(r), _strength(r), _validity(r), _readers(r)) for r in rows],
    )


def print_chain(server: Presented, place: str) -> None:
    """The chain that a server presents, its own certificate first."""
    out().print(text(f"Chain presented by {place} over {server.tls_version or 'TLS'}:"), soft_wrap=True)
    for number, certificate in enumerate(server.chain, 1):
        facts = facts_of(certificate)
        for line in (
            f"{number}. {facts.subject}",
            f"   issued by  {_issuer(facts)}",
            f"   valid      {facts.not_before:%Y-%m-%d} to {facts.not_after:%Y-%m-%d}, {_left(facts)}",
            f"   SHA-256    {facts.fingerprint}",
        ):
            out().print(text(line), soft_wrap=True)


def entry_document(row: Row) -> dict[str, Any]:
    """An entry for JSON."""
    return {
        "alias": row.alias,
        "kind": row.kind,
        **facts_document(row.facts),
        "days_left": row.facts.days_left(),
        "java": row.java,
        "sametime": row.sametime,
    }


def facts_document(facts: Facts) -> dict[str, Any]:
    """A certificate for JSON."""
    return {
        "subject": facts.subject,
        "issuer": facts.issuer,
        "key": facts.key,
        "hash": facts.hash,
        "valid_from": facts.not_before.isoformat(),
        "valid_until": facts.not_after.isoformat(),
        "fingerprint": facts.fingerprint,
    }


def _issuer(facts: Facts) -> str:
    return "itself" if facts.is_self_signed else facts.issuer


def _left(facts: Facts) -> str:
    days = facts.days_left()
    return f"{days} days left" if days >= 0 else "expired"


def _names(row: Row) -> Text:
    issuer = f"by {printable(_issuer(row.facts))}"
    return Text.assemble(printable(row.facts.subject), "\n", (issuer, "dim"))


def _strength(row: Row) -> Text:
    kind = "\nour key" if row.kind == "key" else ""
    return Text(f"{row.facts.key}\n{row.facts.hash}{kind}")


def _validity(row: Row) -> Text:
    facts = row.facts
    style = "bold red" if facts.days_left() < 0 else "yellow" if facts.days_left() < EXPIRES_SOON else ""
    return Text.assemble(f"{facts.not_before:%Y-%m-%d}\n{facts.not_after:%Y-%m-%d}\n", (_left(facts), style))


def _readers(row: Row) -> Text:
    return Text(f"Java: {'yes' if row.java else 'no'}\nSametime: {'yes' if row.sametime else 'no'}")
