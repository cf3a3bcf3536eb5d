"""Random histories of clusters: after 15 quiet seconds every client sees the sessions that exist.

A failure names its seed; `script/simulate --seed N` runs that history again.
"""

import pytest

from support.cluster_histories import run_history
from support.redis_server import RedisServer
from support.redis_store import RedisStore

SEEDS = 10_000
PORTION = 500
ON_REDIS = 40


@pytest.mark.parametrize("first", range(0, SEEDS, PORTION))
def test_whatever_goes_wrong_clients_see_in_the_end_what_there_is_to_see(first: int) -> None:
    for seed in range(first, first + PORTION):
        assert run_history(seed)


@pytest.mark.parametrize("seed", range(ON_REDIS))
def test_the_same_histories_hold_with_a_real_server(seed: int, shared_redis: RedisServer) -> None:
    with RedisStore(shared_redis.port) as store:
        assert run_history(seed, store)
