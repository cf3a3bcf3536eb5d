"""What the five tasks answer, as JSON documents."""

from typing import Any

from quintet.directory import ConnectionStatus, Container, Group, Person

Document = dict[str, Any]


def kind_of(entry: Container | Person | Group) -> str:
    return type(entry).__name__.lower()


def person_or_group(found: Person | Group) -> Document:
    return {
        "kind": kind_of(found),
        "id": found.id,
        "dn": found.dn,
        "name": found.name,
        "mail": found.mail if isinstance(found, Person) else None,
        "description": found.description,
        "server": found.server,
    }


def connection(status: ConnectionStatus) -> Document:
    shown = status.certificate
    return {
        "task": status.service.value,
        "server": status.server,
        "address": status.address,
        "encrypted": status.encrypted,
        "tls_version": status.tls_version,
        "cipher": status.cipher,
        "certificate": shown and {"subject": shown.subject, "issuer": shown.issuer, "expires": shown.expires},
        "bound_as": status.bound_as,
        "state": status.state.value,
        "error": status.error,
    }
