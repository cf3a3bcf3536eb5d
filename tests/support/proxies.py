"""nginx and Caddy with the files of the how-to pages, before an application that shows what it gets."""

import http.server
import json
import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from support import certs
from support.pages import ROOT, blocks
from support.serving import free_port
from support.waiting import wait_until

HOSTS = ("wiki.example.com", "people.example.com")
_READY_WITHIN = 20.0


def of_page(name: str, mark: str) -> str:
    """The one block of this kind in a how-to page."""
    page = ROOT / "docs" / "how-to" / f"sign-in-for-{name}.md"
    (found,) = (block.text for block in blocks(page) if block.mark == mark)
    return found


@contextmanager
def application() -> Iterator[int]:
    """An application that answers with the headers that it was sent, as JSON; yields its port."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            told = json.dumps([(name, value) for name, value in self.headers.items()]).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(told)))
            self.end_headers()
            self.wfile.write(told)

        do_POST = do_GET  # noqa: N815  # the library's name

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the library's word
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


@contextmanager
def proxy(kind: str, folder: Path, *, quintet: int, behind: int) -> Iterator[int]:
    """The proxy before Quintet and an application; yields its port, which speaks TLS."""
    folder.mkdir()
    certificate, key = certs.leaf(certs.authority(), *HOSTS).write(folder, "example.com")
    port = free_port()
    places = {
        "127.0.0.1:8080": f"127.0.0.1:{quintet}",
        "127.0.0.1:3000": f"127.0.0.1:{behind}",
        "/etc/nginx/example.com.pem": str(certificate),
        "/etc/nginx/example.com.key": str(key),
        "listen 443 ssl": f"listen 127.0.0.1:{port} ssl",
    }
    text = of_page(kind, {"nginx": "nginx", "caddy": "caddyfile"}[kind])
    for shown, here in places.items():
        text = text.replace(shown, here)
    command = _nginx(folder, text) if kind == "nginx" else _caddy(folder, text, certificate, key, port)
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            command,
            stdout=log,
            stderr=log,
            env={"PATH": "/usr/sbin:/usr/bin:/bin", "HOME": str(folder), "XDG_DATA_HOME": str(folder)},
        )
        try:
            _wait(process, port, folder / "log")
            yield port
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _nginx(folder: Path, text: str) -> list[str]:
    temporary = "\n".join(
        f"    {each}_temp_path {folder}/{each};"
        for each in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    user = "user root;\n" if os.geteuid() == 0 else ""  # the folder is ours alone
    (folder / "nginx.conf").write_text(
        f"{user}worker_processes 1;\npid {folder}/pid;\nerror_log {folder}/error.log;\nevents {{}}\n"
        f"http {{\n    access_log off;\n{temporary}\n{text}\n}}\n"
    )
    command = shutil.which("nginx", path="/usr/sbin:/usr/bin") or "nginx"
    return [command, "-c", str(folder / "nginx.conf"), "-p", str(folder), "-g", "daemon off;"]


def _caddy(folder: Path, text: str, certificate: Path, key: Path, port: int) -> list[str]:
    for host in HOSTS:
        text = text.replace(f"{host} {{", f"{host} {{\n\ttls {certificate} {key}\n\tbind 127.0.0.1")
    options = f"{{\n\tadmin off\n\tauto_https disable_redirects\n\thttps_port {port}\n}}\n"
    (folder / "Caddyfile").write_text(options + text)
    return ["caddy", "run", "--config", str(folder / "Caddyfile"), "--adapter", "caddyfile"]


def _wait(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    wait_until(lambda: process.poll() is not None or _listens(port), seconds=_READY_WITHIN)
    if process.poll() is not None or not _listens(port):
        raise RuntimeError(f"the proxy did not start: {log.read_text()}")


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True
