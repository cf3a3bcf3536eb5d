"""What an administrator does first with a directory server: `quintet init --yes`, with a service account."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support.command import Ran, run_program
from support.ldap_tools import Identity


@dataclass(frozen=True, slots=True)
class Installation:
    """A folder with settings, and `quintet` used on it. `ran` is what `init` printed, as JSON."""

    folder: Path
    ran: Ran

    def quintet(self, *arguments: str, typed: str = "", environ: Mapping[str, str] | None = None) -> Ran:
        return run_program("--config", self.folder, *arguments, typed=typed, environ=environ)

    def document(self, *arguments: str, typed: str = "", environ: Mapping[str, str] | None = None) -> Any:
        """The document of a command with `--json`."""
        return self.quintet(*arguments, "--json", typed=typed, environ=environ).document

    def explained(self, name: str, password: str, environ: Mapping[str, str] | None = None) -> Any:
        """The document of `quintet authenticate --explain`."""
        arguments = ("authenticate", name, "--password-stdin", "--explain")
        return self.document(*arguments, typed=f"{password}\n", environ=environ)


def set_up(
    folder: Path,
    host: str,
    ca: Path,
    account: Identity | None,
    *more: str,
    ports: tuple[int, int] = (389, 636),
) -> Installation:
    """`quintet init --yes` into an empty folder."""
    arguments = ["--yes", "--json", f"--host={host}", f"--port={ports[0]}", f"--tls-port={ports[1]}"]
    arguments += [f"--ca={ca}", *more]
    environ = {"PYTHONWARNINGS": os.environ.get("PYTHONWARNINGS", "")}
    if account is not None:
        arguments.append(f"--account={account.dn}")
        environ["QUINTET_ACCOUNT_PASSWORD"] = account.password
    return Installation(folder, run_program("--config", folder, "init", *arguments, environ=environ))
