"""All families of commands. Importing a family registers its commands, in the order of `quintet --help`."""

# isort: off
from quintet.cli import check, explain_code, connections, tasks, card
from quintet.cli import trust, protect, doctor, init, eavesdrop, cost, serve, demo
# isort: on

__all__ = [
    "card",
    "check",
    "connections",
    "cost",
    "demo",
    "doctor",
    "eavesdrop",
    "explain_code",
    "init",
    "protect",
    "serve",
    "tasks",
    "trust",
]
