"""The three files and the environment as one `Settings`, or everything that is wrong with them."""

import errno
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

from quintet.config import ini, stcommunityconfig, userinfoconfig
from quintet.config.cross_checks import check_together, encrypts
from quintet.config.environment import read_environment
from quintet.config.ini import read_ini
from quintet.config.ini_settings import read_directory, read_traces
from quintet.config.ini_values import IniValues
from quintet.config.settings import CardSettings, Settings
from quintet.config.stcommunityconfig import Community, read_community
from quintet.config.trust import check_stores, read_tls
from quintet.config.userinfoconfig import read_user_info
from quintet.diagnostics import Diagnostic, Diagnostics, Place, SettingsError, Severity, nearest

_NOTHING: Mapping[str, bytes] = MappingProxyType({})

# These files are a few kilobytes long. What is bigger was put there by mistake, or by somebody with ill will.
LARGEST = 1024 * 1024


def load(folder: Path, environ: Mapping[str, str], *, instead: Mapping[str, bytes] = _NOTHING) -> Settings:
    """The settings in `folder`, with the variables of `environ` above them.

    `instead` holds contents to read in place of the files of that name: to see whether they would do. Raises
    SettingsError, with every problem of all files, when there is an error among them.
    """
    settings, problems = read(folder, environ, instead=instead)
    if settings is None or any(p.severity is Severity.ERROR for p in problems):
        raise SettingsError(folder, problems)
    return settings


def check(
    folder: Path, environ: Mapping[str, str], *, instead: Mapping[str, bytes] = _NOTHING
) -> tuple[Diagnostic, ...]:
    """Everything that is wrong with the settings or worth knowing, errors first. Opens no connection."""
    return read(folder, environ, instead=instead)[1]


def read(
    folder: Path, environ: Mapping[str, str], *, instead: Mapping[str, bytes] = _NOTHING
) -> tuple[Settings | None, tuple[Diagnostic, ...]]:
    """As much of the settings as can be read, and all problems: for whoever wants to find out what is wrong.

    Where a setting has an error, its default stands in its place. None when there is no folder.
    """
    findings = Diagnostics()
    try:
        found = folder.is_dir()
    except OSError:
        found = False
    if not found:
        findings.error(Place(str(folder)), None, "there is no such folder; name the folder with the settings")
        return None, findings.problems
    files = Files(folder, instead, findings)
    values = read_ini_values(files, environ)
    values.check_names(findings)
    servers = _community(files)
    settings = Settings(
        folder=folder,
        servers=servers.servers,
        tls=read_tls(values, folder, findings),
        directory=read_directory(values, servers, findings),
        cards=_cards(files),
        traces=read_traces(values, findings),
    )
    if settings.cards and settings.tls.crl_file:
        checked = (
            replace(each, tls=replace(each.tls, crl_file=settings.tls.crl_file))
            for each in settings.cards.storages
        )
        settings = replace(settings, cards=replace(settings.cards, storages=tuple(checked)))
    if settings.cards and encrypts(settings) and not settings.directory.allow_clear_service_bind:
        settings = replace(settings, cards=replace(settings.cards, guard_account=True))
    check_together(settings, values, findings)
    check_stores(settings, findings)
    return replace(settings, problems=findings.problems), findings.problems


@dataclass(frozen=True, slots=True)
class Files:
    """The files of a folder, or what shall be read instead."""

    folder: Path
    instead: Mapping[str, bytes]
    findings: Diagnostics

    def read(self, name: str, tell: Callable[[Place, None, str], None], absence: str) -> bytes | None:
        """The content of a file. None when there is none, which `tell` is told, or when it cannot be read."""
        try:
            data = self.instead[name] if name in self.instead else self._from_disk(self.folder / name)
        except FileNotFoundError:
            tell(Place(name), None, f"there is no such file in {self.folder}{self._near(name)}; {absence}")
            return None
        except OSError as error:
            self.findings.error(Place(name), None, f"the file cannot be read: {error.strerror}")
            return None
        if len(data) > LARGEST:
            size = f"{LARGEST // 1024**2} MB"
            self.findings.error(Place(name), None, f"the file is larger than {size}; is it the right one?")
            return None
        return data

    def _near(self, name: str) -> str:
        """A hint at a file with nearly this name, if there is one."""
        try:
            found = nearest(name, (each.name for each in self.folder.iterdir()))
        except OSError:
            return ""
        return f" (there is {found}; names of files are case-sensitive)" if found else ""

    @staticmethod
    def _from_disk(path: Path) -> bytes:
        if path.exists() and not path.is_file():
            raise OSError(errno.EINVAL, "it is no regular file")
        with path.open("rb") as file:
            return file.read(LARGEST + 1)


def read_ini_values(files: Files, environ: Mapping[str, str]) -> IniValues:
    """What sametime.ini and the environment say together."""
    data = files.read(ini.FILE, files.findings.note, "defaults and environment count")
    entries = read_ini(data, files.findings) if data is not None else ()
    return IniValues(entries, read_environment(environ, files.findings))


def _community(files: Files) -> Community:
    fix = "it names the LDAP servers: put it there, or make one with: quintet init"
    data = files.read(stcommunityconfig.FILE, files.findings.error, fix)
    return Community(()) if data is None else read_community(data, files.findings)


def _cards(files: Files) -> CardSettings | None:
    data = files.read(userinfoconfig.FILE, files.findings.note, "business cards are off")
    return None if data is None else read_user_info(data, files.folder, files.findings)
