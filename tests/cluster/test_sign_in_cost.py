"""What a sign-in waits for in Valkey, from the client's connection to LOGIN_ACK and its first view."""

import asyncio
import base64
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from quintet.cluster import registrations, views
from quintet.cluster.attempts import BEGIN
from quintet.cluster.scripts import READ, REGISTER, RENEW, TOUCH, WRITE
from quintet.cluster.streams import TRIM
from quintet.cluster.valkey import Answer, Argument, Script
from quintet.config import ClusterSettings, parse_valkey_url
from quintet.directory import LocalAttempts
from quintet.runtime.cluster import Cluster
from quintet.sametime import context
from quintet.sametime.services.aware import AddToWatchList
from quintet.sametime.services.catalog import ServiceId
from quintet.sametime.wire.blocks import AwareId, AwareType, StatusCode, UserStatus
from quintet.sametime.wire.messages import SetUserStatus
from quintet.secret import Secret
from support.community_directory import FakeDirectory, user_id
from support.redis_server import RedisServer
from support.sametime_client import SametimeClient
from support.sametime_server import LiveClient, running

OF_TICKS = {RENEW, TOUCH, TRIM}


class Gate:
    """Holds back the calls and subscriptions of a connection until they are let through.

    Calls of ticks and lazy ones pass.
    """

    def __init__(self, cluster: Cluster) -> None:
        self.held: list[tuple[Script, Sequence[str], Sequence[Argument], Answer | None]] = []
        self.channels: list[str] = []
        self.came = asyncio.Event()
        self._call = cluster.valkey.call
        self._subscribe = cluster.valkey.subscribe
        cluster.valkey.call = self.call  # type: ignore[method-assign]
        cluster.valkey.subscribe = self.channels.append  # type: ignore[assignment,method-assign]

    def call(
        self, script: Script, keys: Sequence[str], args: Sequence[Argument], answer: Answer | None = None
    ) -> None:
        if script in OF_TICKS:
            self._call(script, keys, args, answer)
            return
        self.held.append((script, keys, args, answer))
        self.came.set()

    async def let_through(self) -> list[Script]:
        """One round trip: what was asked until now."""
        async with asyncio.timeout(10):
            await self.came.wait()
        self.came.clear()
        held, self.held = self.held, []
        channels, self.channels[:] = self.channels.copy(), []
        for channel in channels:
            self._subscribe(channel)
        for each in held:
            self._call(*each)
        return [script for script, *_ in held]


async def test_a_sign_in_with_its_first_status_and_view_waits_for_two_round_trips(
    redis: RedisServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (views, registrations):  # no client goes on without an answer because it has waited
        monkeypatch.setattr(module, "WAIT_SECONDS", 1e9)
    monkeypatch.setattr(context, "_VIEW_SECONDS", 1e9)
    key = Secret(base64.b64encode(bytes(32)).decode())
    settings = ClusterSettings(parse_valkey_url(redis.url), (key,))
    async with AsyncExitStack() as stack:
        cluster = await stack.enter_async_context(Cluster.open(settings))
        attempts = cluster.attempts(LocalAttempts(), lambda _: None)
        directory = FakeDirectory.of("ada")
        server = await stack.enter_async_context(running(directory, tmp_path, attempts=attempts))
        await stack.enter_async_context(cluster.joined(server))
        gate = Gate(cluster)
        ada = await LiveClient.connect(server.port, SametimeClient("ada"))
        signed_in = asyncio.ensure_future(ada.sign_in())
        assert await gate.let_through() == [BEGIN]
        assert (await gate.let_through())[0] == REGISTER
        await signed_in
        # Nothing more is let through, so nothing more is waited for.
        aware = await ada.open(ServiceId.AWARE)
        ada.client.say(SetUserStatus(UserStatus(StatusCode.AWAY)))
        myself = AwareId(AwareType.USER, user_id("ada"))
        async with asyncio.timeout(10):
            await ada.ask(aware, AddToWatchList((myself,)))
        asked = [script for script, *_ in gate.held]
        assert WRITE in asked
        assert set(asked) <= {READ, WRITE}
        await gate.let_through()
        await ada.close()
