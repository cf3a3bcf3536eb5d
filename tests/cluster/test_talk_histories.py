"""Whatever happens to nodes and Valkey: no line is missing, twice, or out of order, and both ends agree."""

import os

import pytest

from support.cluster_histories import run_history
from support.redis_server import RedisServer
from support.redis_store import RedisStore
from support.simulated_messages import TalkHistory

SEEDS = int(os.environ.get("QUINTET_SEEDS", "200"))
PIECES = 4


@pytest.mark.parametrize("piece", range(PIECES))
def test_channels_and_conferences_of_random_histories(piece: int) -> None:
    heard = 0
    for seed in range(piece, SEEDS, PIECES):
        history = run_history(seed, kind=TalkHistory)
        assert isinstance(history, TalkHistory)
        heard += history.heard
    assert heard > SEEDS / PIECES


@pytest.mark.parametrize("seed", range(10))
def test_the_same_histories_hold_with_a_real_server(seed: int, shared_redis: RedisServer) -> None:
    with RedisStore(shared_redis.port) as store:
        assert run_history(seed, store, TalkHistory)
