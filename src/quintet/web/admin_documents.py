"""The documents of the API for administrators."""

import time
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr

from quintet.admin.explain import Step
from quintet.diagnostics import Diagnostic
from quintet.directory import Certificate, ConnectionStatus
from quintet.web.accounts import LONGEST_NAME
from quintet.web.activity import Line, days_left
from quintet.web.documents import LONGEST_PASSWORD, Document, GroupDocument, PersonDocument
from quintet.web.sessions import WebSession
from quintet.web.trial import ApplicationVerdict, GroupVerdict, ShownValue, Trial


class CertificateDocument(Document):
    """The certificate that a server presented. `days_left` is negative when it has expired."""

    subject: str
    issuer: str
    expires: str
    days_left: int

    @classmethod
    def of(cls, shown: Certificate) -> "CertificateDocument":
        return cls(
            subject=shown.subject, issuer=shown.issuer, expires=shown.expires, days_left=days_left(shown)
        )


class ConnectionDocument(Document):
    """One connection, as `quintet connections` prints it."""

    task: str
    server: str
    address: str
    encrypted: bool
    tls_version: str | None
    cipher: str | None
    certificate_expires: str | None
    bound_as: str | None
    state: str
    operations: int
    in_flight: int
    reconnects: int
    error: str | None

    @classmethod
    def of(cls, row: ConnectionStatus) -> "ConnectionDocument":
        return cls(
            task=row.service.value,
            server=row.server,
            address=row.address,
            encrypted=row.encrypted,
            tls_version=row.tls_version,
            cipher=row.cipher,
            certificate_expires=row.certificate.expires if row.certificate else None,
            bound_as=row.bound_as,
            state=row.state.value,
            operations=row.operations,
            in_flight=row.in_flight,
            reconnects=row.reconnects,
            error=row.error,
        )


class ServiceDocument(Document):
    """The connections of one service to one server.

    `connected` is how many are open; `lost` when one was lost and none was opened since. `readable` is what a
    listener on the network reads, null where that is nothing. `operations_per_second` and `latency` (seconds)
    are those of the last 10 seconds; `recent` has the operations of each of the last 60 seconds, the oldest
    first; `failed` counts operations since the start that the server did not carry out, wrong passwords
    aside. `causes` are the codes of `errors`.
    """

    service: str
    server: str
    encrypted: bool
    readable: str | None
    connected: int
    lost: bool
    addresses: list[str]
    tls_versions: list[str]
    ciphers: list[str]
    certificates: list[CertificateDocument]
    bound_as: list[str]
    operations_per_second: float
    latency: float | None
    recent: list[int]
    failed: int
    in_flight: int
    reconnects: int
    errors: list[str]
    causes: list[str]
    notes: list[str]

    @classmethod
    def of(cls, line: Line) -> "ServiceDocument":
        return cls(
            service=line.service.value,
            server=line.server,
            encrypted=line.encrypted,
            readable=line.readable,
            connected=line.connected,
            lost=line.rate.lost,
            addresses=list(line.addresses),
            tls_versions=list(line.tls_versions),
            ciphers=list(line.ciphers),
            certificates=[CertificateDocument.of(each) for each in line.certificates],
            bound_as=list(line.bound_as),
            operations_per_second=line.rate.operations,
            latency=line.rate.latency,
            recent=list(line.rate.recent),
            failed=line.rate.errors,
            in_flight=line.in_flight,
            reconnects=line.rate.reconnects,
            errors=list(line.errors),
            causes=list(line.causes),
            notes=list(line.notes),
        )


class ConnectionsDocument(Document):
    """`account_readable`: the password of a service account is sent unencrypted."""

    protection: str
    account_readable: bool
    services: list[ServiceDocument]
    connections: list[ConnectionDocument]


class ShownCertificateDocument(Document):
    """A certificate, with the services and servers where it was presented."""

    certificate: CertificateDocument
    services: list[str]
    servers: list[str]


class CertificatesDocument(Document):
    """The first to expire comes first."""

    certificates: list[ShownCertificateDocument]


class DiagnosticDocument(Document):
    """One thing that is wrong with the settings, or worth knowing, as `quintet check` prints it."""

    code: str
    severity: str
    file: str | None
    line: int | None
    key: str | None
    message: str
    impact: str
    fix: str

    @classmethod
    def of(cls, problem: Diagnostic) -> "DiagnosticDocument":
        place = problem.place
        return cls(
            code=problem.code.name,
            severity=problem.severity.value,
            file=place.file if place else None,
            line=place.line if place else None,
            key=problem.key,
            message=problem.message,
            impact=problem.impact or problem.code.impact,
            fix=problem.fix,
        )


class DiagnosticsDocument(Document):
    """Of the settings in use; `rejected` says why newer ones are not, null where none were rejected."""

    problems: list[DiagnosticDocument]
    rejected: str | None


class ReloadDocument(Document):
    applied: Literal[True] = True


class OpenSessionDocument(Document):
    """A session over HTTP. Times are seconds before now."""

    id: str
    person: PersonDocument
    administrator: bool
    began: float
    used: float

    @classmethod
    def of(cls, session: WebSession) -> "OpenSessionDocument":
        now = time.monotonic()
        return cls(
            id=session.public_id,
            person=PersonDocument.of(session.person),
            administrator=session.administrator,
            began=now - session.began,
            used=now - session.used,
        )


class SametimeSessionDocument(Document):
    """A session of a Sametime client. `tls` is null without TLS."""

    id: str
    user_id: str
    user_name: str
    client: str
    address: str
    tls: str | None
    since: str

    @classmethod
    def of(cls, row: dict[str, Any]) -> "SametimeSessionDocument":
        since = datetime.fromtimestamp(row["connected_at"], UTC).isoformat(timespec="seconds")
        return cls(
            id=row["id"],
            user_id=row["user_id"],
            user_name=row["user_name"],
            client=row["client_type"],
            address=row["address"],
            tls=row["tls"],
            since=since,
        )


class OpenSessionsDocument(Document):
    sessions: list[OpenSessionDocument]
    sametime: list[SametimeSessionDocument]


class EndedDocument(Document):
    ended: int


class TrialDocument(Document):
    """A name to look up; with a password, to sign in."""

    name: Annotated[str, Field(min_length=1, max_length=LONGEST_NAME)]
    password: Annotated[SecretStr, Field(min_length=1, max_length=LONGEST_PASSWORD)] | None = None


class StepDocument(Document):
    """One question to a server. `found` is the number of entries, null for a bind."""

    service: str
    server: str
    asked: str
    found: int | None
    result: str
    meaning: str

    @classmethod
    def of(cls, step: Step) -> "StepDocument":
        return cls(
            service=step.service.value,
            server=step.server,
            asked=step.asked,
            found=step.found,
            result=step.result,
            meaning=step.meaning,
        )


class ValueDocument(Document):
    """A value of the person, and where it came from. `over`: the connection was that of another service."""

    name: str
    value: str
    attribute: str
    service: str
    over: str | None
    server: str
    filter: str

    @classmethod
    def of(cls, value: ShownValue) -> "ValueDocument":
        return cls(
            name=value.name,
            value=value.value,
            attribute=value.attribute,
            service=value.service.value,
            over=value.over and value.over.value,
            server=value.server,
            filter=value.filter,
        )


class GroupVerdictDocument(Document):
    """A group of the person. `counts` is null where it was not tried. `uses` are what it grants."""

    group: GroupDocument
    level: int | None
    counts: bool | None
    why: str
    uses: list[str]

    @classmethod
    def of(cls, verdict: GroupVerdict) -> "GroupVerdictDocument":
        return cls(
            group=GroupDocument.of(verdict.group),
            level=verdict.level,
            counts=verdict.counts,
            why=verdict.why,
            uses=list(verdict.uses),
        )


class ApplicationVerdictDocument(Document):
    """The answer to an application's proxy, and its headers. `status` is null where it was not tried."""

    name: str
    status: int | None
    why: str
    headers: dict[str, str]

    @classmethod
    def of(cls, verdict: ApplicationVerdict) -> "ApplicationVerdictDocument":
        return cls(name=verdict.name, status=verdict.status, why=verdict.why, headers=dict(verdict.headers))


class ExplanationDocument(Document):
    """What became of a trial. `administrator` is null where no sign-in succeeded."""

    outcome: Literal["succeeded", "failed", "not-tried"]
    meaning: str
    state: str | None
    person: PersonDocument | None
    administrator: bool | None
    steps: list[StepDocument]
    values: list[ValueDocument]
    groups: list[GroupVerdictDocument]
    applications: list[ApplicationVerdictDocument]
    without_names: str

    @classmethod
    def of(cls, trial: Trial, without_names: str) -> "ExplanationDocument":
        found = trial.explanation
        return cls(
            outcome=found.verdict,
            meaning=found.outcome,
            state=found.state.value if found.state else None,
            person=PersonDocument.of(found.person) if found.person else None,
            administrator=trial.administrator,
            steps=[StepDocument.of(each) for each in found.steps],
            values=[ValueDocument.of(each) for each in trial.values],
            groups=[GroupVerdictDocument.of(each) for each in trial.groups],
            applications=[ApplicationVerdictDocument.of(each) for each in trial.applications],
            without_names=without_names,
        )
