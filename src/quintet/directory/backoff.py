"""How long a host is left alone after a failure: longer each time, never the same for all, and bounded."""

import random
from typing import final

from quintet.directory.endpoint import Endpoint
from quintet.directory.errors import DirectoryError, DirectoryUnavailableError

FIRST = 0.25
LONGEST = 15.0
_JITTER = 0.3
_NEVER = float("-inf")


@final
class Host:
    """What a pool knows of one of its hosts. Times are the loop's.

    A host that accepts connections need not serve: only an answer (`worked`) makes failures forgotten. What
    began before the last failure (`since`) tells nothing new, so that many who fail at once count as one.
    """

    __slots__ = ("_noted_at", "doubted", "endpoint", "error", "failures", "retry_at")

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self.failures = 0
        self.doubted = False
        self.retry_at = 0.0
        self.error: DirectoryError | None = None
        self._noted_at = _NEVER

    def failed(self, error: DirectoryError, *, since: float, now: float) -> float:
        """Note a failure; how long to wait (seconds)."""
        if since >= self._noted_at:
            self.failures += 1
            pause = min(LONGEST, FIRST * 2.0 ** min(self.failures - 1, 10))
            pause *= 1 + _JITTER * (2 * random.random() - 1)  # noqa: S311 (spreads load, hides nothing)
            self.retry_at = now + pause
            self._note(error, now)
        return max(0.0, self.retry_at - now)

    def lost(self, error: DirectoryError, *, since: float, now: float) -> None:
        """Note a connection that broke. Once may be a restart; again, without an answer between, is not."""
        if self.doubted:
            self.failed(error, since=since, now=now)
        else:
            self.doubted = True
            self._note(error, now)

    def _note(self, error: DirectoryError, now: float) -> None:
        self.error = error
        self._noted_at = now

    def opened(self) -> None:
        """It took a connection, which proves little."""
        self.retry_at = 0.0
        self.error = None

    def worked(self) -> None:
        """It answered an operation."""
        self.opened()
        self.failures = 0
        self.doubted = False
        self._noted_at = _NEVER

    def refusal(self, now: float) -> DirectoryError:
        """The last failure, once more, for somebody who comes while the host is left alone."""
        assert self.error is not None
        error = self.error.renewed()
        if isinstance(error, DirectoryUnavailableError):
            error.retry_in = max(0.0, self.retry_at - now)
        return error
