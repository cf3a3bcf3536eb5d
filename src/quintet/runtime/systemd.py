"""Notify systemd of the service's state (sd_notify(3)). Without `NOTIFY_SOCKET` nothing happens."""

import os
import socket
import time


def ready(status: str) -> None:
    _send(f"READY=1\nSTATUS={status}")


def reloading() -> None:
    """Must be followed by `ready`: `Type=notify-reload` waits for it."""
    _send(f"RELOADING=1\nMONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")


def status(text: str) -> None:
    _send(f"STATUS={text}")


def stopping() -> None:
    _send("STOPPING=1")


def alive() -> None:
    """To be sent more often than every `watchdog` seconds, or the service manager restarts the service."""
    _send("WATCHDOG=1")


def watchdog() -> float | None:
    """The seconds without `alive` after which the service counts as hung; None without a watchdog."""
    microseconds = os.environ.get("WATCHDOG_USEC", "")
    meant = os.environ.get("WATCHDOG_PID", "")
    if not microseconds.isdecimal() or int(microseconds) == 0 or (meant and meant != str(os.getpid())):
        return None
    return int(microseconds) / 1_000_000


def _send(message: str) -> None:
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
        sock.setblocking(False)
        try:
            sock.sendto(message.encode(), address.replace("@", "\0", 1))
        except OSError:
            return  # the service manager is gone; the service is not
