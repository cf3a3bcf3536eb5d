"""The examination of settings and directories behind `quintet doctor`."""

from quintet.admin.doctor.checks import Checks, Tally
from quintet.admin.doctor.examination import examine

__all__ = ["Checks", "Tally", "examine"]
