"""A bind by SCRAM, step by step (RFC 5802 section 3).

`scram` has the messages; here they go back and forth, and the work of hashing is kept off the event loop.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from quintet.ldap.errors import AuthMethodNotSupported, LocalProtocolError, ResultError
from quintet.ldap.messages import SASL_BIND_IN_PROGRESS, BindResponse, Sasl
from quintet.ldap.sasl import channel_binding, scram
from quintet.ldap.sasl.channel_binding import ChannelBinding

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
    """The server's last answer.

    `certificate` is the server's, over TLS; `offered` is None if the server was not asked. Raises
    AuthMethodNotSupported if the server offers no SCRAM, LocalProtocolError for a name or a password that
    SCRAM does not allow, ScramError if the server does not keep to SCRAM, and what `step` raises.
    """
    binding = channel_binding.of_certificate(certificate) if certificate is not None else None
    chosen = mechanism or scram.choose(offered or (), bound=binding is not None)
    if chosen is None:
        raise AuthMethodNotSupported("the server offers no SCRAM")
    plus_offered = f"{chosen}-PLUS" in offered if offered is not None else None

    async def attempt(binding: ChannelBinding | None) -> BindResponse:
        client = scram.ScramClient(
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


async def _exchange(step: Step, client: scram.ScramClient) -> BindResponse:
    answer = await step(Sasl(client.mechanism, client.first()))
    if answer.result.code != SASL_BIND_IN_PROGRESS:
        raise scram.ScramError("the server did not ask for a proof")
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
            raise scram.ScramError("the server does not end the exchange")
    return answer
