"""Which tests run at the same time, when pytest-xdist runs them in several processes.

A file is run by one process, so that its fixtures are made once. Files that use the same expensive server
share a process, too. Tests marked `serial` measure time or use up the machine: they come last, in one
process, after the others have ended. Files that take long come first.
"""

from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]
from xdist.workermanage import WorkerController  # type: ignore[import-untyped]

SERIAL = "serial"
_SHARED = {"samba": "samba", "dirsrv": "389ds"}
_LONG = ("@samba", "@389ds", "tests/system/", "tests/docs/", "tests/cli/", "tests/admin/", "tests/directory/")


def group(items: list[pytest.Item]) -> None:
    """Give the tests that belong in one process the same group."""
    for item in items:
        if item.get_closest_marker("serial") is not None:
            item.add_marker(pytest.mark.xdist_group(SERIAL))
            continue
        fixtures = " ".join(getattr(item, "fixturenames", ()))
        for word, name in _SHARED.items():
            if word in fixtures:
                item.add_marker(pytest.mark.xdist_group(name))


class SerialLast(LoadScopeScheduling):  # type: ignore[misc]
    """One file or group is a unit of work; the unit `serial` is given out when all other units are done.

    A process runs its last test only when it knows the next one or that there is none. So processes that find
    only serial work left are told to end, apart from the last of them, which waits until they have.
    """

    def _split_scope(self, nodeid: str) -> str:
        path, _, rest = nodeid.partition("::")
        return f"@{rest.rpartition('@')[2]}" if "@" in rest.rpartition("::")[2] else path

    def _assign_work_unit(self, node: WorkerController) -> None:
        units = [unit for unit in self.workqueue if unit != f"@{SERIAL}"]
        if units:
            chosen = min(units, key=_rank)
        elif all(each.shutting_down for each in self.nodes if each is not node):
            if any(self._pending_of(self.assigned_work[each]) for each in self.nodes if each is not node):
                return
            chosen = f"@{SERIAL}"
        else:
            node.shutdown()
            return
        self.workqueue.move_to_end(chosen, last=False)
        super()._assign_work_unit(node)

    def mark_test_complete(self, node: WorkerController, item_index: int, duration: float = 0) -> None:
        super().mark_test_complete(node, item_index, duration)
        self._wake()

    def remove_node(self, node: WorkerController) -> str | None:
        crashed: str | None = super().remove_node(node)
        self._wake()
        return crashed

    def _wake(self) -> None:
        """Another process has ended a test: the one that waits for the serial unit may get it now."""
        if self.workqueue and all(unit == f"@{SERIAL}" for unit in self.workqueue):
            for node in self.nodes:
                self._reschedule(node)


def _rank(unit: str) -> tuple[int, str]:
    return next((nth for nth, start in enumerate(_LONG) if unit.startswith(start)), len(_LONG)), unit


def scheduler(config: pytest.Config, log: Any) -> SerialLast:
    return SerialLast(config, log)
