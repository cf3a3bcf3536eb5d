"""The examination of settings and directories behind `quintet doctor`."""

from quintet.admin.doctor.examination import examine

__all__ = ["examine"]
