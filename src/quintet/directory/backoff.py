"""How long a host is left alone after a failure: longer each time, never the same for all, and bounded."""

import random
from typing import final

from quintet.directory.endpoint import Endpoint
from quintet.directory.errors import DirectoryError, Unreachable

FIRST = 0.25
LONGEST = 15.0
_JITTER = 0.3


@final
class Host:
    """What a pool knows of one of its hosts. Times are the loop's."""

    __slots__ = ("endpoint", "error", "failures", "retry_at")

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self.failures = 0
        self.retry_at = 0.0
        self.error: DirectoryError | None = None

    def failed(self, error: DirectoryError, now: float) -> float:
        """Note a failure; how long to wait (seconds)."""
        self.failures += 1
        pause = min(LONGEST, FIRST * 2.0 ** min(self.failures - 1, 10))
        pause *= 1 + _JITTER * (2 * random.random() - 1)  # noqa: S311 (spreads load, hides nothing)
        self.retry_at = now + pause
        self.error = error
        return pause

    def worked(self) -> None:
        self.failures = 0
        self.retry_at = 0.0
        self.error = None

    def refusal(self, now: float) -> DirectoryError:
        """The last failure, once more, for somebody who comes while the host is left alone."""
        assert self.error is not None
        error = self.error.renewed()
        if isinstance(error, Unreachable):
            error.retry_in = max(0.0, self.retry_at - now)
        return error
