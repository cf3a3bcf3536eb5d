"""All targets by their names, those first whose input comes from strangers over the network."""

from typing import Final

from fuzz.target import Target
from fuzz.targets import certificates, directory, ldap, sametime, sametime_server, sasl, settings, stores, web

_MODULES: Final = (ldap, sametime, sametime_server, directory, stores, settings, sasl, certificates, web)

ALL: Final[dict[str, Target]] = {each.name: each for module in _MODULES for each in module.TARGETS}
HOMES: Final[dict[str, str]] = {each.name: module.__name__ for module in _MODULES for each in module.TARGETS}
"""The module of each target."""
