"""What encryption costs: the three levels measured against the configured server."""

from quintet.admin.cost.measuring import Level, Measured, measure
from quintet.admin.cost.page import page
from quintet.admin.cost.verdict import Difference, Outcome, TaskFigures, differences, figures, verdict

__all__ = [
    "Difference",
    "Level",
    "Measured",
    "Outcome",
    "TaskFigures",
    "differences",
    "figures",
    "measure",
    "page",
    "verdict",
]
