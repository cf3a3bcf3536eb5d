"""The three files and the environment as one `Settings`, or everything that is wrong with them."""

import errno
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

from quintet.config.cluster_settings import read_cluster
from quintet.config.cross_checks import check_together, encrypts
from quintet.config.environment import ENV_FILES, Variable, read_env_file, read_variables, variables_of
from quintet.config.ini import read_ini
from quintet.config.ini_settings import read_directory, read_traces
from quintet.config.ini_values import IniValues
from quintet.config.sametime_port import ClientCertificates, SametimePortSettings, read_port
from quintet.config.schema import CARDS, COMMUNITY, HTTP_PREFIXES, INI, PORT_PREFIXES
from quintet.config.settings import CardSettings, Settings
from quintet.config.source import EditError
from quintet.config.stcommunityconfig import CommunitySettings, read_community
from quintet.config.tls_keys import read_tls
from quintet.config.trust import check_stores
from quintet.config.userinfoconfig import read_user_info
from quintet.config.web_settings import read_web
from quintet.diagnostics import (
    Diagnostic,
    Diagnostics,
    Finding,
    Pitfall,
    Place,
    SettingsError,
    Severity,
    nearest,
    shown,
)
from quintet.tls import TlsSettings

_NOTHING: Mapping[str, bytes] = MappingProxyType({})
_LARGEST = 1024 * 1024
"""These files have a few kilobytes. A larger one is there by mistake, or by malice."""


def load(
    folder: Path,
    environ: Mapping[str, str],
    *,
    overrides: Mapping[str, bytes] = _NOTHING,
    env_files: Sequence[Path] = (),
) -> Settings:
    """The settings in `folder`, with the variables of `environ` above them.

    `overrides` holds contents to read in place of the files of that name: to see whether they would work.
    `env_files` are files of variables, as containers are given them, besides those in the folder
    (`ENV_FILES`); later ones win, and `environ` wins over all. Raises `SettingsError`, with every problem of
    all files, when there is an error among them.
    """
    settings, problems = read(folder, environ, overrides=overrides, env_files=env_files)
    if settings is None or any(p.severity is Severity.ERROR for p in problems):
        raise SettingsError(folder, problems)
    return settings


def check(
    folder: Path,
    environ: Mapping[str, str],
    *,
    overrides: Mapping[str, bytes] = _NOTHING,
    env_files: Sequence[Path] = (),
) -> tuple[Diagnostic, ...]:
    """Everything that is wrong with the settings or worth knowing, errors first. Opens no connection."""
    return read(folder, environ, overrides=overrides, env_files=env_files)[1]


def read(
    folder: Path,
    environ: Mapping[str, str],
    *,
    overrides: Mapping[str, bytes] = _NOTHING,
    env_files: Sequence[Path] = (),
) -> tuple[Settings | None, tuple[Diagnostic, ...]]:
    """As much of the settings as can be read, and all problems: for finding out what is wrong.

    Where a setting has an error, its default is used. None when there is no folder.
    """
    findings = Diagnostics()
    if not _is_folder(folder):
        message = f"there is no folder {folder}"
        findings.add(Finding.Q40, Place(str(folder)), None, message)
        return None, findings.problems
    files = Files(folder, overrides, findings)
    values = read_ini_values(files, environ, env_files)
    values.check_names(findings)
    servers = _community(files)
    settings = Settings(
        folder=folder,
        servers=servers.servers,
        tls=read_tls(values, folder, findings),
        directory=read_directory(values, servers, findings),
        cards=_cards(files),
        traces=read_traces(values, findings),
        web=replace(read_web(values, findings), tls=_https(values, folder, findings)),
        sametime=_port(values, folder, findings),
        cluster=read_cluster(values, folder, findings),
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


def settings_file(folder: Path, name: str) -> Path:
    """Where the settings file of that name is, also when its name is in another letter case (row D42).

    The path with the expected name when there is no such file, or when there are several.
    """
    found = _in_other_case(folder, name)
    return folder / found[0] if len(found) == 1 and not (folder / name).exists() else folder / name


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


def _in_other_case(folder: Path, name: str) -> list[str]:
    """Names in the folder that differ from `name` in letter case alone."""
    try:
        names = sorted(each.name for each in folder.iterdir())
    except OSError:
        return []
    return [each for each in names if each != name and each.casefold() == name.casefold()]


@dataclass(frozen=True, slots=True)
class File:
    """The content of a file, and its name as it is in the folder."""

    name: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Files:
    """The files of a folder, or what is read in their place."""

    folder: Path
    overrides: Mapping[str, bytes]
    findings: Diagnostics

    def read(self, name: str, absence: str, severity: Severity) -> File | None:
        """A settings file. None when it cannot be read, or is missing, which is reported with `severity`."""
        if name in self.overrides:
            return self._bounded(name, self.overrides[name])
        path = settings_file(self.folder, name)
        try:
            data = _content(path)
        except FileNotFoundError:
            self._report_missing(name, absence, severity)
            return None
        except OSError as error:
            self._report_unreadable(Place(path.name), path, error)
            return None
        self._report_case(name, path.name)
        return self._bounded(path.name, data)

    def variables(self, files: Sequence[Path]) -> Iterator[Variable]:
        """The variables of env files: those beside the settings that exist, then `files`."""
        beside = [self.folder / name for name in ENV_FILES]
        for path in (*beside, *files):
            name = path.name if path in beside else str(path)
            try:
                data = _content(path)
            except FileNotFoundError:
                if path not in beside:
                    message = f"there is no file {path}"
                    self.findings.add(Finding.Q41, Place(name), None, message, "correct the path")
                continue
            except OSError as error:
                self._report_unreadable(Place(name), path, error)
                continue
            found = self._bounded(name, data)
            if found is None:
                continue
            try:
                yield from read_env_file(found.data, name)
            except EditError as error:
                self.findings.add(error.code, Place(name, error.line), None, error.message, error.fix)

    def _report_case(self, name: str, used: str) -> None:
        """Row D42: the file that is used has its name in another case, or there is such a file beside it."""
        if used != name:
            message = f"the file {used} is used as {name}, though its name differs in letter case"
            fix, severity = f"rename it to {name}", Severity.NOTE
            self.findings.add(Pitfall.D42, Place(used), None, message, fix, severity=severity)
            return
        for other in _in_other_case(self.folder, name):
            message = f"the file {other} is ignored, because {name} is there"
            self.findings.add(Pitfall.D42, Place(other), None, message, "remove one of the two files")

    def _bounded(self, name: str, data: bytes) -> File | None:
        if len(data) <= _LARGEST:
            return File(name, data)
        message = f"the file is larger than {_LARGEST // 1024**2} MB"
        self.findings.add(Finding.Q43, Place(name), None, message)
        return None

    def _report_missing(self, name: str, absence: str, severity: Severity) -> None:
        others = _in_other_case(self.folder, name)
        if others:
            message = (
                f"{' and '.join(others)} differ from {name} in letter case alone, so none of them is used"
            )
            fix = f"rename one of them to {name}"
            self.findings.add(Pitfall.D42, Place(name), None, message, fix, severity=Severity.ERROR)
            return
        near = self._near(name)
        message = f"there is no {name} in {self.folder}; {absence}"
        if near is None:
            self.findings.add(Finding.Q41, Place(name), None, message, severity=severity)
            return
        message += f" (there is {shown(near)})"
        rename = f"rename {shown(near)} to {name}, if it is that file"
        severity = Severity.WARNING if severity is Severity.NOTE else severity
        self.findings.add(Finding.Q41, Place(name), None, message, rename, severity=severity)

    def _report_unreadable(self, place: Place, path: Path, error: OSError) -> None:
        message = f"{path} cannot be read: {error.strerror}"
        self.findings.add(Finding.Q42, place, None, message)

    def _near(self, name: str) -> str | None:
        """A file with nearly this name, if there is one that is no backup."""
        try:
            names = (each.name for each in self.folder.iterdir())
            return nearest(name, (each for each in names if not each.startswith(f"{name}.")))
        except OSError:
            return None


def _content(path: Path) -> bytes:
    if path.exists() and not path.is_file():
        raise OSError(errno.EINVAL, "it is not a regular file")
    with path.open("rb") as file:
        return file.read(_LARGEST + 1)


def read_ini_values(files: Files, environ: Mapping[str, str], env_files: Sequence[Path] = ()) -> IniValues:
    """What sametime.ini and the variables say together."""
    file = files.read(INI, "defaults and environment apply", Severity.NOTE)
    entries = read_ini(file.data, files.findings, file.name) if file is not None else ()
    variables = (*files.variables(env_files), *variables_of(environ))
    return IniValues(entries, read_variables(variables, files.findings))


def _https(values: IniValues, folder: Path, findings: Diagnostics) -> TlsSettings | None:
    """The TLS of the HTTP port, None where it is not switched on."""
    if not values.reader(findings).flag("QUINTET_HTTP_TLS"):
        return None
    return read_tls(values, folder, findings, HTTP_PREFIXES)


def _port(values: IniValues, folder: Path, findings: Diagnostics) -> SametimePortSettings:
    """The port for Sametime clients. The TLS keys of one that is not opened say nothing."""
    port = read_port(values, findings)
    if not port.port:
        return port
    asks = port.client_certificates is not ClientCertificates.NONE
    return replace(port, tls=read_tls(values, folder, findings, PORT_PREFIXES, trust_store=asks))


def _community(files: Files) -> CommunitySettings:
    file = files.read(COMMUNITY, "it names the LDAP servers", Severity.ERROR)
    return CommunitySettings(()) if file is None else read_community(file.data, files.findings, file.name)


def _cards(files: Files) -> CardSettings | None:
    file = files.read(CARDS, "there are no business cards", Severity.NOTE)
    return None if file is None else read_user_info(file.data, files.folder, files.findings, file.name)
