"""What a running server needs: its application, signals, pid file, status socket, systemd and event log."""

from quintet.runtime.application import Application, serve
from quintet.runtime.pidfile import AlreadyRunningError, reload_running
from quintet.runtime.status_socket import Answered, Running, ask_running, read_status

__all__ = [
    "AlreadyRunningError",
    "Answered",
    "Application",
    "Running",
    "ask_running",
    "read_status",
    "reload_running",
    "serve",
]
