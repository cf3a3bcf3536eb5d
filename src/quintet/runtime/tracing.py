"""OpenTelemetry traces: a span for each HTTP request, and below it those of the directory tasks.

Optional: the extra `quintet[otel]` brings the SDK, and only an endpoint for traces switches it on, in the
variables that every OpenTelemetry SDK reads. Spans hold no name, DN, address or query. That is why the global
provider stays unset: libraries that look for it would write URLs into spans.
"""

import time
from typing import TYPE_CHECKING, final

from opentelemetry.trace import SpanKind, Status, StatusCode
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from quintet.directory import ConnectionEvent, Event, SignedIn
from quintet.ldap import ConnectionFailed, ConnectionOpened, OperationEnded
from quintet.web.serving import METHODS, route_of

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import SpanProcessor

_SERVICE = "service.name"


class TracingUnavailableError(Exception):
    """An endpoint for traces is set, and the extra that sends them is not installed."""


def open_tracing() -> "Tracing":
    """Traces to the endpoint of the variables, by a thread of their own. Raises TracingUnavailableError."""
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415
    except ImportError as error:
        raise TracingUnavailableError(str(error)) from error
    return Tracing(BatchSpanProcessor(OTLPSpanExporter()))


@final
class Tracing:
    """A `Trace` of the directory, and what stands around the HTTP application. `processor` gets the spans."""

    def __init__(self, processor: "SpanProcessor") -> None:
        from opentelemetry.sdk.resources import Resource  # noqa: PLC0415  # an extra
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415

        resource = (
            Resource.create()
        )  # what the variables of OpenTelemetry say, among it a name of the service
        if str(resource.attributes[_SERVICE]).startswith("unknown_service"):
            resource = resource.merge(Resource({_SERVICE: "quintet"}))
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._provider.add_span_processor(processor)
        self._tracer = self._provider.get_tracer("quintet")

    def __call__(self, event: Event) -> None:
        match event:
            case ConnectionEvent(service, server, OperationEnded(name, outcome, seconds)):
                self._ended(f"ldap {name}", outcome, seconds, service=service.value, server=server)
            case ConnectionEvent(service, server, ConnectionOpened() as opened):
                self._ended("ldap connect", "ok", opened.seconds, service=service.value, server=server)
            case ConnectionEvent(service, server, ConnectionFailed()):
                self._ended("ldap connect", "failed", 0.0, service=service.value, server=server)
            case SignedIn(outcome, _, seconds):
                self._ended("sign in", outcome, seconds)
            case _:
                pass

    def _ended(self, name: str, outcome: str, seconds: float, **labels: str) -> None:
        """A span of what has just ended, below the request in whose course it was done."""
        now = time.time_ns()
        attributes = {f"quintet.{key}": value for key, value in (labels | {"outcome": outcome}).items()}
        span = self._tracer.start_span(
            name, kind=SpanKind.CLIENT, attributes=attributes, start_time=now - int(seconds * 1e9)
        )
        if outcome != "ok":
            span.set_status(Status(StatusCode.ERROR))
        span.end(now)

    def around(self, app: ASGIApp) -> ASGIApp:
        """The application with a span for each request. A client's `traceparent` is not used."""

        async def traced(scope: Scope, receive: Receive, send: Send) -> None:
            method = scope["method"] if scope["method"] in METHODS else "_OTHER"
            route = route_of(scope["path"])
            attributes = {"http.request.method": method, "quintet.route": route}
            with self._tracer.start_as_current_span(
                f"{method} {route}",
                kind=SpanKind.SERVER,
                attributes=attributes,
                record_exception=False,  # its text may hold a name
                set_status_on_exception=False,
            ) as span:

                async def observed(message: Message) -> None:
                    if message["type"] == "http.response.start":
                        span.set_attribute("http.response.status_code", message["status"])
                        if message["status"] >= 500:
                            span.set_status(Status(StatusCode.ERROR))
                    await send(message)

                await app(scope, receive, observed)

        return traced

    def close(self) -> None:
        """Send what is left. Waits for the collector, so not in the event loop."""
        self._provider.shutdown()
