"""What a result depends on besides the code: the machine, how busy it was, and versions."""

import datetime as dt
import importlib.metadata
import os
import platform
import ssl
from collections.abc import Iterable
from typing import Any


def environment(packages: Iterable[str]) -> dict[str, Any]:
    """To be taken before the measurement: `load_average` is that of the last minute."""
    found = {name: importlib.metadata.version(name) for name in packages}
    return {
        "measured": dt.datetime.now(dt.UTC).date().isoformat(),
        "machine": {
            "processors": os.cpu_count(),
            "system": platform.system(),
            "architecture": platform.machine(),
            "load_average": round(os.getloadavg()[0], 2),
        },
        "software": {"python": platform.python_version(), "openssl": ssl.OPENSSL_VERSION, **found},
    }
