"""All families of commands. Importing a family registers its commands, in the order of `quintet --help`."""

from quintet.cli import check, connections, tasks, card, protect, trust, doctor, eavesdrop, cost, serve, demo  # isort: skip

__all__ = [
    "card",
    "check",
    "connections",
    "cost",
    "demo",
    "doctor",
    "eavesdrop",
    "protect",
    "serve",
    "tasks",
    "trust",
]
