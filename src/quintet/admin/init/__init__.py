"""Settings for a directory, found out by asking it, behind `quintet init`: reach it, propose, write."""

from quintet.admin.init.connect import Reached, reach
from quintet.admin.init.proposing import Proposal, SearchRefusedError, is_name, propose
from quintet.admin.init.writing import SettingsPlan, in_the_way, write

__all__ = [
    "Proposal",
    "Reached",
    "SearchRefusedError",
    "SettingsPlan",
    "in_the_way",
    "is_name",
    "propose",
    "reach",
    "write",
]
