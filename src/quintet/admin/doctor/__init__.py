"""The examination of settings and directories behind `quintet doctor`."""

from quintet.admin.doctor.checks import CheckArea, Checks, Tally
from quintet.admin.doctor.examination import examine

__all__ = ["CheckArea", "Checks", "Tally", "examine"]
