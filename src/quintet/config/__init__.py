"""The settings: Sametime's three files and the environment, read into one frozen value.

    from quintet.config import SettingsError, load

    try:
        settings = load(Path("/etc/quintet"), os.environ)
    except SettingsError as error:
        for problem in error.problems:  # each a quintet.diagnostics.Diagnostic
            print(problem)

`load` gives `Settings` or raises `SettingsError` with every problem of all files; `check` gives the problems
alone; `read` gives as much as can be read, with the problems. All are read again for a reload: settings are
values that can be compared.

`set_key` and `remove_key` change sametime.ini, `switch_connections` and `switch_cards` the XML files, each in
place and nothing else; they raise `EditError`. `render_ini`, `render_community` and `render_cards` write them
anew. `read_connection` reads a server that another file names. `stash_passwords` does what a first start with
a stash file does. `schema` and `xml_schema` declare every setting once.
"""

from quintet.config.applications import ApplicationSettings, GroupName, group_name
from quintet.config.cluster_settings import (
    ClusterSettings,
    ValkeyAddress,
    parse_valkey_url,
    read_cluster_keys,
)
from quintet.config.cross_checks import encrypts
from quintet.config.edit import (
    get_key,
    remove_key,
    set_key,
    storages_without_store,
    switch_cards,
    switch_connections,
)
from quintet.config.environment import ENV_FILES, read_env_file
from quintet.config.ini import read_ini_source
from quintet.config.ini_values import application_name, is_variable
from quintet.config.load import check, load, read, settings_file
from quintet.config.parsers import Value, unquoted
from quintet.config.render import render_cards, render_community, render_ini
from quintet.config.sametime_port import ClientCertificates, SametimePortSettings
from quintet.config.schema import CARDS, COMMUNITY, INI
from quintet.config.server_limits import ServerLimits
from quintet.config.settings import (
    Account,
    CardServer,
    CardSettings,
    CardStorage,
    Detail,
    DirectorySettings,
    ServerSettings,
    Settings,
    TraceSettings,
)
from quintet.config.source import EditError
from quintet.config.stash_migration import stash_passwords
from quintet.config.stcommunityconfig import read_connection
from quintet.config.web_settings import Network, WebSettings
from quintet.config.xml_document import read_xml_source
from quintet.config.xml_schema import CONNECTION, PLAIN_PORT, TLS_PORT
from quintet.diagnostics import SettingsError

__all__ = [
    "CARDS",
    "COMMUNITY",
    "CONNECTION",
    "ENV_FILES",
    "INI",
    "PLAIN_PORT",
    "TLS_PORT",
    "Account",
    "ApplicationSettings",
    "CardServer",
    "CardSettings",
    "CardStorage",
    "ClientCertificates",
    "ClusterSettings",
    "Detail",
    "DirectorySettings",
    "EditError",
    "GroupName",
    "Network",
    "SametimePortSettings",
    "ServerLimits",
    "ServerSettings",
    "Settings",
    "SettingsError",
    "TraceSettings",
    "ValkeyAddress",
    "Value",
    "WebSettings",
    "application_name",
    "check",
    "encrypts",
    "get_key",
    "group_name",
    "is_variable",
    "load",
    "parse_valkey_url",
    "read",
    "read_cluster_keys",
    "read_connection",
    "read_env_file",
    "read_ini_source",
    "read_xml_source",
    "remove_key",
    "render_cards",
    "render_community",
    "render_ini",
    "set_key",
    "settings_file",
    "stash_passwords",
    "storages_without_store",
    "switch_cards",
    "switch_connections",
    "unquoted",
]
