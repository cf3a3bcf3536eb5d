"""What encryption costs: the three levels measured against the configured server."""

from quintet.admin.cost.measuring import LevelMeasurement, Measured, measure
from quintet.admin.cost.page import page
from quintet.admin.cost.verdict import Difference, Outcome, TaskFigures, differences, figures, verdict

__all__ = [
    "Difference",
    "LevelMeasurement",
    "Measured",
    "Outcome",
    "TaskFigures",
    "differences",
    "figures",
    "measure",
    "page",
    "verdict",
]
