"""All families of commands. Importing a family registers its commands, in the order of `quintet --help`."""

from quintet.cli import (
    card,
    check,
    connections,
    cost,
    demo,
    doctor,
    eavesdrop,
    init,
    protect,
    serve,
    tasks,
    trust,
)  # isort: skip

__all__ = [
    "card",
    "check",
    "connections",
    "cost",
    "demo",
    "doctor",
    "eavesdrop",
    "init",
    "protect",
    "serve",
    "tasks",
    "trust",
]
