"""A bind by SCRAM, step by step (RFC 5802 section 3), over whatever carries the steps to the server.

`scram` knows the messages; here they go back and forth, and the work of hashing is kept off the event loop.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from quintet.ldap.errors import AuthMethodNotSupported, LocalProtocolError, ResultError
from quintet.ldap.messages import SASL_BIND_IN_PROGRESS, BindResponse, Sasl
from quintet.ldap.sasl import channel_binding, scram
from quintet.ldap.sasl.channel_binding import Binding

Step = Callable[[Sasl], Awaitable[BindResponse]]

_OPENLDAPS_BINDING = "Expected: ldap"

_QUICK_ITERATIONS = 20_000
"""About ten milliseconds. More are hashed in a thread, so that the loop goes on."""


async def bind(
    step: Step,
    user: str,
    password: str | bytes,
    *,
    offered: Sequence[str] | None,
    mechanism: str | None,
    authzid: str,
    certificate: bytes | None,
) -> BindResponse:
    """The server's last answer. `certificate` is the peer's where there is TLS; `offered` None: nobody asked.

    Raises AuthMethodNotSupported when there is no SCRAM on offer, LocalProtocolError for a name or password
    that SCRAM has no place for, ScramError when the server does not keep to it, and what `step` raises.
    """
    binding = channel_binding.of_certificate(certificate) if certificate is not None else None
    chosen = mechanism or scram.choose(offered or (), bound=binding is not None)
    if chosen is None:
        raise AuthMethodNotSupported("the server offers no SCRAM")
    plus_offered = f"{chosen}-PLUS" in offered if offered is not None else None

    async def attempt(binding: Binding | None) -> BindResponse:
        client = scram.Client(
            chosen, user, password, authzid=authzid, binding=binding, plus_offered=plus_offered
        )
        return await _exchange(step, client)

    try:
        try:
            return await attempt(binding)
        except ResultError as error:
            if binding is None or _OPENLDAPS_BINDING not in error.diagnostic:
                raise
            return await attempt(channel_binding.as_openldap(binding))
    except scram.ScramUnavailableError as error:
        raise LocalProtocolError(str(error)) from error


async def _exchange(step: Step, client: scram.Client) -> BindResponse:
    answer = await step(Sasl(client.mechanism, client.first()))
    if answer.result.code != SASL_BIND_IN_PROGRESS:
        raise scram.ScramError("the server was content without a proof")
    challenge = client.challenge(answer.server_credentials or b"")
    if challenge.iterations > _QUICK_ITERATIONS:
        salted = await asyncio.to_thread(client.salted, challenge)
    else:
        salted = client.salted(challenge)
    answer = await step(Sasl(client.mechanism, client.final(salted)))
    client.verify(answer.server_credentials or b"")
    if answer.result.code == SASL_BIND_IN_PROGRESS:  # its proof came before its verdict
        answer = await step(Sasl(client.mechanism, b""))
        if answer.result.code == SASL_BIND_IN_PROGRESS:
            raise scram.ScramError("the server does not come to an end")
    return answer
