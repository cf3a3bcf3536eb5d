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
class CommandEntry:
    """One command. Importing `module` registers it; `panel` is its group in the help."""

    module: str
    panel: str
    summary: str


COMMANDS: Mapping[str, CommandEntry] = MappingProxyType(
    {
        "init": CommandEntry("init", _SETTINGS, "Create the settings for a directory server, by asking it."),
        "check": CommandEntry("check", _SETTINGS, "Read the settings and list every problem with its fix."),
        "trust": CommandEntry("trust", _SETTINGS, "List and change the certificates in a trust store."),
        "protect": CommandEntry("protect", _SETTINGS, "Choose which connections are encrypted."),
        "authenticate": CommandEntry(
            "tasks", _TASKS, "Authenticate a user with a login name and a password."
        ),
        "resolve": CommandEntry(
            "tasks", _TASKS, 'Find people and groups by name, as "Add Person or Group" does.'
        ),
        "browse": CommandEntry("tasks", _TASKS, "List one level of the directory, containers first."),
        "members": CommandEntry(
            "tasks", _TASKS, "List the members of a public group, nested groups included."
        ),
        "groups": CommandEntry("groups", _TASKS, "List the groups of a person, with their levels."),
        "card": CommandEntry("card", _TASKS, "Show a person's business card."),
        "connections": CommandEntry(
            "connections", _CHECKS, "Open every connection and show how it is encrypted and bound."
        ),
        "doctor": CommandEntry(
            "doctor", _CHECKS, "Find problems in settings, stores, servers and directories."
        ),
        "explain": CommandEntry("explain_code", _CHECKS, "Explain the code of a problem."),
        "eavesdrop": CommandEntry(
            "eavesdrop", _CHECKS, "Capture Quintet's own LDAP traffic and report what is readable."
        ),
        "cost": CommandEntry("cost", _CHECKS, "Measure what each protection level costs."),
        "contacts": CommandEntry(
            "contacts", _RUNNING, "Export, import and restore the contact lists that users keep."
        ),
        "token": CommandEntry(
            "token", _RUNNING, "Create, list and revoke bearer tokens, with which programs use the API."
        ),
        "limits": CommandEntry(
            "limits", _RUNNING, "List the sign-ins that failed too often, and let them in again."
        ),
        "sessions": CommandEntry("sessions", _RUNNING, "List who is signed in, and end sessions."),
        "broadcast": CommandEntry("broadcast", _RUNNING, "Show a text to all users who are signed in."),
        "drain": CommandEntry("drain", _RUNNING, "Close a share of the sessions, which a balancer moves."),
        "serve": CommandEntry("serve", _RUNNING, "Run the server until it is stopped."),
        "demo": CommandEntry("demo", _RUNNING, "Try Quintet out on the bundled sample directory."),
    }
)
"""In the order of the help."""

EXAMPLES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "init": (
            "quintet init",
            "quintet init --config /etc/quintet --host ldap.example.com --account cn=reader,o=example",
            "quintet init --host ldap.example.com --ca ca.pem --password-file pw.txt --yes",
            "quintet init --from-dxl stconfig.xml",
        ),
        "check": (
            "quintet check",
            "quintet check --config /etc/quintet --json",
            "quintet check --strict",
        ),
        "trust": (
            "quintet trust list",
            "quintet trust fetch ldap.example.com:636",
        ),
        "trust list": (
            "quintet trust list",
            "quintet trust list --store ldaptruststore.jks --password-file pw.txt --json",
        ),
        "trust fetch": (
            "quintet trust fetch ldap.example.com:636",
            "quintet trust fetch ldap.example.com:389 --starttls",
        ),
        "trust import": (
            "quintet trust import ca.pem",
            "quintet trust import ca.pem --alias corporate-ca --yes",
        ),
        "trust remove": ("quintet trust remove corporate-ca",),
        "trust create": ("quintet trust create --store ldaptruststore.p12",),
        "trust convert": ("quintet trust convert ldaptruststore.jks",),
        "trust stash": ("quintet trust stash",),
        "protect": (
            "quintet protect all --cards",
            "quintet protect passwords --dry-run",
            "quintet protect none --yes",
        ),
        "authenticate": (
            "quintet authenticate jsmith",
            "quintet authenticate jsmith --password-stdin <pw.txt",
        ),
        "resolve": (
            "quintet resolve smith",
            "quintet resolve sales --groups --json",
        ),
        "browse": (
            "quintet browse",
            "quintet browse ou=people,o=example --page-size 50",
        ),
        "groups": (
            "quintet groups jsmith",
            "quintet groups jsmith --depth 10 --json",
        ),
        "members": (
            "quintet members Engineering",
            "quintet members cn=Engineering,ou=groups,o=example --json",
        ),
        "card": (
            "quintet card jsmith",
            "quintet card cn=jsmith,ou=people,o=example --photo jsmith.jpg",
        ),
        "connections": (
            "quintet connections",
            "quintet connections --watch",
        ),
        "doctor": (
            "quintet doctor",
            "quintet doctor --only settings,stores --fail-on warning",
            "quintet doctor --json",
        ),
        "explain": ("quintet explain D36",),
        "eavesdrop": (
            "quintet eavesdrop",
            "quintet eavesdrop --level none --record traffic.pcap",
            "quintet eavesdrop --sign-in jsmith",
        ),
        "cost": (
            "quintet cost",
            "quintet cost --seconds 120 --html cost.html",
        ),
        "contacts": (
            "quintet contacts export >lists.jsonl",
            "quintet contacts history uid=jsmith,ou=people,o=example",
        ),
        "limits": ("quintet limits list", "quintet limits clear jsmith"),
        "limits list": ("quintet limits list --json",),
        "limits clear": ("quintet limits clear jsmith", "quintet limits clear 192.0.2.7"),
        "contacts export": (
            "quintet contacts export --to lists.jsonl",
            "quintet contacts export uid=jsmith,ou=people,o=example",
        ),
        "contacts import": (
            "quintet contacts import lists.jsonl",
            "quintet contacts import jsmith.txt --user uid=jsmith,ou=people,o=example --replace",
        ),
        "contacts history": ("quintet contacts history uid=jsmith,ou=people,o=example --json",),
        "contacts restore": ("quintet contacts restore uid=jsmith,ou=people,o=example 12",),
        "contacts rename": (
            "quintet contacts rename uid=jsmith,ou=people,o=example uid=jsmith2,ou=people,o=example",
        ),
        "token": (
            "quintet token create monitoring --scope admin --days 30",
            "quintet token list",
        ),
        "token create": (
            "quintet token create wiki-sync --scope people",
            "quintet token create monitoring --scope people --scope admin --days 365 --json",
        ),
        "token list": ("quintet token list --json",),
        "token revoke": ("quintet token revoke mzxw6ytboi5dgnbr",),
        "sessions": (
            "quintet sessions",
            "quintet sessions --json",
            "quintet sessions --all",
        ),
        "sessions end": ("quintet sessions end jsmith",),
        "broadcast": ('quintet broadcast "The server restarts at 18:00."',),
        "drain": ("quintet drain --share 25%",),
        "serve": ("quintet serve --config /etc/quintet",),
        "demo": (
            "quintet demo",
            "quintet demo --once",
            "quintet demo --keep demo-settings",
        ),
    }
)
"""Command lines for the help of each command, the manual and the reference page."""
