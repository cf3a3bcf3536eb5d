"""The measurement as one self-contained HTML page: no script, no other file."""

from dataclasses import dataclass

import jinja2

from quintet.admin.cost.measuring import AT_ONCE, BURST, Measured
from quintet.admin.cost.verdict import TaskFigures, figures, verdict
from quintet.directory import TASKS, Service

_WIDTH = 420.0


@dataclass(frozen=True, slots=True)
class _Bar:
    level: str
    width: float
    value: str


def page(measured: Measured, server: str) -> str:
    """The page. `server` names what was measured."""
    found = {level.protection.name.lower(): figures(level) for level in measured.levels}
    plots = [
        (title, unit, [(task.value, _bars(found, task, field)) for task in TASKS])
        for title, unit, field in (
            ("Operations per second", "more is better", "per_second"),
            ("Median time of an operation, ms", "less is better", "p50_ms"),
            ("99th percentile, ms", "less is better", "p99_ms"),
            ("CPU time of this side per operation, ms", "less is better", "cpu_ms"),
        )
    ]
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("quintet.admin.cost", "."),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("page.html").render(
        server=server,
        verdict=verdict(measured),
        plots=plots,
        measured=measured,
        missing=[(level.protection.name.lower(), level.error) for level in measured.levels if level.error],
        burst=BURST,
        at_once=AT_ONCE,
        width=_WIDTH,
    )


def _bars(found: dict[str, dict[Service, TaskFigures]], task: Service, field: str) -> list[_Bar]:
    values = {level: float(getattr(tasks[task], field)) for level, tasks in found.items() if task in tasks}
    most = max(values.values(), default=1.0) or 1.0
    return [
        _Bar(level, _WIDTH * value / most, f"{value:,.2f}" if value < 100 else f"{value:,.0f}")
        for level, value in values.items()
    ]
