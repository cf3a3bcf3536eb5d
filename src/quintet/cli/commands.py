"""Every command: its module, its group in the help, and what it does in one line.

`quintet --help` reads this table and imports none of the modules, so that it answers at once.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

_SETTINGS = "Settings and TLS"
_TASKS = "Directory tasks"
_CHECKS = "Checks and measurements"
_RUNNING = "Running Quintet"


@dataclass(frozen=True, slots=True)
class Entry:
    """One command. Importing `module` registers it; `panel` is its group in the help."""

    module: str
    panel: str
    summary: str


COMMANDS: Mapping[str, Entry] = MappingProxyType(
    {
        "init": Entry("init", _SETTINGS, "Create the settings for a directory server, by asking it."),
        "check": Entry("check", _SETTINGS, "Read the settings and list every problem with its fix."),
        "trust": Entry("trust", _SETTINGS, "List and change the certificates in a trust store."),
        "protect": Entry("protect", _SETTINGS, "Choose which connections are encrypted."),
        "authenticate": Entry("tasks", _TASKS, "Authenticate a user with a login name and a password."),
        "resolve": Entry("tasks", _TASKS, 'Find people and groups by name, as "Add Person or Group" does.'),
        "browse": Entry("tasks", _TASKS, "List one level of the directory, containers first."),
        "members": Entry("tasks", _TASKS, "List the members of a public group, nested groups included."),
        "groups": Entry("groups", _TASKS, "List the groups of a person, with their levels."),
        "card": Entry("card", _TASKS, "Show a person's business card."),
        "connections": Entry(
            "connections", _CHECKS, "Open every connection and show how it is encrypted and bound."
        ),
        "doctor": Entry("doctor", _CHECKS, "Find problems in settings, stores, servers and directories."),
        "explain": Entry("explain_code", _CHECKS, "Explain the code of a problem."),
        "eavesdrop": Entry(
            "eavesdrop", _CHECKS, "Capture Quintet's own LDAP traffic and report what is readable."
        ),
        "cost": Entry("cost", _CHECKS, "Measure what each protection level costs."),
        "serve": Entry("serve", _RUNNING, "Run the server until it is stopped."),
        "demo": Entry("demo", _RUNNING, "Try Quintet out on the bundled sample directory."),
    }
)
"""In the order of the help."""
