"""Whatever happens to nodes and Valkey: no line is missing, twice, or out of order, and both ends agree."""

import os

import pytest

from support.cluster_histories import run_history
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
