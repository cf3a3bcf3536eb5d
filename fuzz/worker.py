"""One target under atheris, in a process of its own: `python -m fuzz.worker MODULE TARGET OPTIONS…`.

The options are libFuzzer's. Only what is imported within the hook counts as covered, so nothing of Quintet
may be imported before it, and of the targets only the one module: every import takes its time.
"""

import sys
from importlib import import_module
from typing import Any

import structlog


def main() -> None:
    atheris: Any = import_module("atheris")
    module, name, *options = sys.argv[1:]
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    atheris.enabled_hooks.add("str")
    with atheris.instrument_imports(include=["quintet"], enable_loader_override=False):
        (target,) = (each for each in import_module(module).TARGETS if each.name == name)

    def one_input(data: bytes) -> None:
        target.run(data)

    atheris.Setup([sys.argv[0], *options], one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
