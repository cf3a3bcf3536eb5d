"""The three files and the environment as one `Settings`, or everything that is wrong with them."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from quintet.config import community, ini, userinfo
from quintet.config.community import Community, read_community
from quintet.config.environment import read_environment
from quintet.config.ini import read_ini
from quintet.config.ini_values import IniValues
from quintet.config.problems import BadSettings, Findings, Place, Problem, nearest
from quintet.config.service import read_directory, read_traces
from quintet.config.settings import CardSettings, Settings
from quintet.config.together import check_together
from quintet.config.trust import check_stores, read_tls
from quintet.config.userinfo import read_user_info

# These files are a few kilobytes long. What is bigger was put there by mistake, or by somebody with ill will.
LARGEST = 4 * 1024 * 1024


def load(folder: Path, environ: Mapping[str, str], *, instead: Mapping[str, bytes] | None = None) -> Settings:
    """The settings in `folder`, with the variables of `environ` above them.

    `instead` gives contents by file name, in place of what the files hold: settings that are not written yet.
    Raises BadSettings, with every problem of all files, when there is an error among them.
    """
    settings, findings = _read(folder, environ, instead)
    if settings is None or findings.failed:
        raise BadSettings(folder, findings.problems)
    return settings


def check(folder: Path, environ: Mapping[str, str]) -> tuple[Problem, ...]:
    """Everything that is wrong with the settings or worth knowing, errors first. Opens no connection."""
    return _read(folder, environ)[1].problems


def read_ini_values(
    folder: Path,
    environ: Mapping[str, str],
    findings: Findings,
    instead: Mapping[str, bytes] | None = None,
) -> IniValues:
    """What sametime.ini and the environment say together."""
    data = read_file(folder, ini.FILE, findings, instead)
    if data is None:
        findings.note(Place(ini.FILE), None, "there is no such file; the defaults and the environment count")
    entries = read_ini(data, findings) if data else ()
    return IniValues(entries, read_environment(environ, findings))


def read_file(
    folder: Path, name: str, findings: Findings, instead: Mapping[str, bytes] | None = None
) -> bytes | None:
    """The content of a file; None when there is none, no bytes and an error when it cannot be read."""
    if instead is not None and name in instead:
        return instead[name]
    path = folder / name
    try:
        if not path.exists():
            return None
        if not path.is_file():
            findings.error(Place(name), None, "this is no file")
            return b""
        with path.open("rb") as file:
            data = file.read(LARGEST + 1)
    except OSError as error:
        findings.error(Place(name), None, f"the file cannot be read: {error.strerror}")
        return b""
    if len(data) > LARGEST:
        findings.error(
            Place(name),
            None,
            f"the file is larger than {LARGEST // 1024**2} MB; it is not read. Is it the right one?",
        )
        return b""
    return data


def _read(
    folder: Path, environ: Mapping[str, str], instead: Mapping[str, bytes] | None = None
) -> tuple[Settings | None, Findings]:
    findings = Findings()
    if not folder.is_dir():
        findings.error(Place(str(folder)), None, "there is no such folder; name the folder with the settings")
        return None, findings
    values = read_ini_values(folder, environ, findings, instead)
    values.check_names(findings)
    servers = _community(folder, findings, instead)
    cards = _cards(folder, findings, instead)
    directory = read_directory(values, servers, findings)
    settings = Settings(
        folder=folder,
        servers=servers.servers,
        tls=read_tls(values, folder, findings),
        directory=directory,
        cards=cards,
        traces=read_traces(values, findings),
    )
    check_together(settings, values, findings)
    check_stores(settings, findings)
    return replace(settings, problems=findings.problems), findings


def _community(folder: Path, findings: Findings, instead: Mapping[str, bytes] | None) -> Community:
    data = read_file(folder, community.FILE, findings, instead)
    if data is None:
        findings.error(
            Place(community.FILE),
            None,
            f"there is no such file in {folder}{_misspelt(folder, community.FILE)}, and it names the LDAP"
            " servers; put it there, or make one with: quintet init",
        )
        return Community(())
    return read_community(data, findings) if data else Community(())


def _cards(folder: Path, findings: Findings, instead: Mapping[str, bytes] | None) -> CardSettings | None:
    data = read_file(folder, userinfo.FILE, findings, instead)
    if data is None:
        findings.note(
            Place(userinfo.FILE),
            None,
            f"there is no such file{_misspelt(folder, userinfo.FILE)}; business cards are off",
        )
        return None
    return read_user_info(data, folder, findings) if data else None


def _misspelt(folder: Path, name: str) -> str:
    try:
        near = nearest(name, (each.name for each in folder.iterdir()))
    except OSError:
        near = None
    return f" (there is {near}; names of files are case-sensitive)" if near else ""
