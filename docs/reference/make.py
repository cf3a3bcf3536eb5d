#!/usr/bin/env python3
"""Makes what only repeats the code: the reference pages, the manual page, and the README's figures.

Without arguments it writes them; with --check it writes nothing, and exits with 1 when one is out of date.
"""

import inspect
import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from quintet import diagnostics
from quintet.cli.exit_codes import ExitCode
from quintet.cli.report_error import EXITS
from quintet.config import schema, xml_schema
from quintet.config.environment import ENV_FILES
from quintet.config.setting import Kind, Setting
from quintet.directory import DirectoryError
from quintet.ldap import errors as ldap_errors
from quintet.tls import StoreError

FOLDER = Path(__file__).parent
sys.path[:0] = [str(FOLDER), str(FOLDER.parent.parent / "bench")]
command_pages = import_module("command_pages")
task_figures = import_module("figures")
web_table = import_module("web_table")
_MADE = "<!-- Made by script/docs from the code. Changes belong there. -->\n"


def settings() -> str:
    ini = [key for key in schema.INI_KEYS if not _is_tls(key)]
    tls = [key for key in schema.INI_KEYS if key.name.startswith("ST_TLS_")]
    return _page(
        "Settings",
        "Quintet reads three files from one folder. All of them are Sametime's; only the keys that begin with"
        " `QUINTET_` are Quintet's own, and Sametime ignores those. Under *acts*, a table says whether"
        " Quintet"
        " acts on a setting, and if not, why.",
        "Every key of `sametime.ini` can come from the environment instead, as `STI__Section__KEY`, for"
        " example `STI__Config__STLDAP_TLS_TRUST_STORE_FILE`. Such variables are also read from"
        f" {_codes(ENV_FILES)} beside the three files, which have lines `NAME=VALUE`. The environment wins"
        " over"
        " these, and these win over `sametime.ini`. `quintet check` names every key that is misspelt,"
        " misplaced"
        " or wrong.",
        "A store whose path is that of a container, `/local/…`, and that does not exist there is looked for"
        " by"
        " its name in the folder of the settings. A file whose name differs in letter case alone is used,"
        " too."
        " `quintet check` notes both.",
        "## sametime.ini: TLS",
        "Section `[Config]`. Each key has three scopes: `STLDAP_…` is for LDAP alone, `STMUX_…` for the port"
        " of Sametime clients alone, `ST_…` is for the whole server. LDAP takes `STLDAP_…`, the port"
        " `STMUX_…`, and both take `ST_…` where that is not set; key by key. The port needs a key store; it"
        " reads the trust store and `TLS_TRUSTED_HOSTS` only if clients are asked for certificates."
        f" (`{'…` and `'.join(schema.OTHER_PREFIXES)}…` are known, and have no effect.)"
        " [How to choose](../how-to/tls-scopes.md). [HTTPS](../how-to/serve-https.md) takes"
        f" `{schema.HTTP_PREFIXES[0]}TLS_…`, and where that is not set, `ST_…`, of"
        f" {_codes(schema.SERVER_TLS_NAMES)}; the connections to Valkey look at"
        f" `{schema.CLUSTER_PREFIXES[0]}TLS_…`, then `ST_…`.",
        _settings_table(tls),
        "## sametime.ini: the directory and the rest",
        _settings_table(ini),
        "## StCommunityConfig.xml",
        "Attributes of `Connection`, or of an element around it as the default for all inside. One"
        " `Connection` is one directory; [several servers](../how-to/several-servers.md) have one each.",
        _settings_table(xml_schema.CONNECTION.values()),
        "Anywhere in the file:",
        _settings_table(xml_schema.ANYWHERE.values()),
        "Of `AnonymousAccess`:",
        _settings_table(xml_schema.ANONYMOUS_ACCESS.values()),
        "## UserInfoConfig.xml",
        "Business cards take nothing from the other two files. Clients keep a card for 7 days; their command"
        ' "Refresh Person Info" fetches it again.',
        *(
            part
            for name, found in xml_schema.CARD_ELEMENTS.items()
            if found
            for part in (f"Attributes of `{name}`:", _settings_table(found.values()))
        ),
        f"Elements without attributes: {_codes(n for n, f in xml_schema.CARD_ELEMENTS.items() if not f)}."
        f" {_codes(xml_schema.IGNORED_CARD_ELEMENTS)} concern Domino and have no effect.",
        f"The `Id` of a `Detail` is one of {_codes(xml_schema.DETAIL_IDS)}, in these very letters.",
    )


def _is_tls(key: Setting) -> bool:
    return schema.without_scope(key.name) in schema.TLS_NAMES


def _settings_table(found: Iterable[Setting]) -> str:
    rows = ((_names(each), _value_of(each), _code(each.default), each.meaning, _acts(each)) for each in found)
    return _table(("name", "value", "default", "meaning", "acts"), rows)


def _names(each: Setting) -> str:
    also = f" (also {_codes(each.aliases)})" if each.aliases else ""
    section = f" `[{each.sections[0]}]`" if each.sections and not _is_tls(each) else ""
    return f"`{each.name}`{section}{also}"


def _value_of(each: Setting) -> str:
    if each.choices:
        return _codes(each.choices)
    least, most = each.bounds
    bounded = each.kind in (Kind.NUMBER, Kind.MINUTES, Kind.PORT) and most < 10**9
    return f"{each.kind.value}, {least:,} to {most:,}" if bounded else each.kind.value


def _acts(each: Setting) -> str:
    return f"no: {each.unused}" if each.unused else "yes"


def commands() -> str:
    return _page("Commands", *command_pages.markdown())


def findings() -> str:
    codes = diagnostics.CODES.values()
    severities = ", ".join(each.value for each in diagnostics.Severity)
    return _page(
        "Findings of `quintet check` and `quintet doctor`",
        "Every problem has a code; `quintet explain CODE` shows the same as this page. Codes that begin with"
        " D"
        " are known pitfalls of Sametime; those with Q are what Quintet finds besides. A problem in a"
        " command's"
        " output has the exact place, and mostly a more exact fix than here. `check` exits with 2 when one"
        " is an"
        " error, with `--strict` also when one is a warning; `doctor` exits with 1 when one is an error.",
        _table(
            ("code", "usually", "problem"),
            ((f"[{code}](#{code.name.lower()})", code.severity.value, code.title) for code in codes),
        ),
        f"The severities: {severities}.",
        *(part for code in codes for part in _finding(code)),
    )


def _finding(code: diagnostics.Code) -> Iterator[str]:
    yield f"### {code}"
    yield f"**{_escaped(code.title)}** ({code.severity.value})"
    yield f"Impact: {_escaped(code.impact)}."
    yield f"Fix: {_escaped(code.fix)}."
    if code.see:
        yield f"See: {', '.join(f'[{_title(page)}](../{page})' for page in code.see)}."


def _title(page: str) -> str:
    """The heading of a page of the documentation."""
    return (FOLDER.parent / page).read_text(encoding="utf-8").partition("\n")[0].removeprefix("# ")


def exit_codes() -> str:
    by_code: dict[ExitCode, list[str]] = {code: [] for code in ExitCode}
    for error in sorted(EXITS, key=lambda each: each.__name__):
        by_code[EXITS[error]].append(error.__name__)
    return _page(
        "Exit codes",
        _table(
            ("code", "meaning", "errors that lead to it"),
            (
                (str(code.value), command_pages.EXIT_MEANINGS[code], _codes(by_code[code]))
                for code in ExitCode
            ),
        ),
        "An error that is not listed has the code of the nearest class above it in the [tree of"
        " errors](errors.md).",
    )


def errors() -> str:
    trees = (
        ("The five tasks and cards: `quintet.directory`", DirectoryError),
        ("Stores and stash files: `quintet.tls.stores.errors`", StoreError),
        ("Settings: `quintet.diagnostics`", diagnostics.SettingsError),
        ("LDAP: `quintet.ldap.errors`", ldap_errors.LdapError),
    )
    parts = [
        part
        for title, root in trees
        for part in (f"## {title}", _table(("error", "meaning", "exit"), _tree(root)))
    ]
    return _page(
        "Errors",
        "What the library raises, and the exit code with which the command line ends on it. What stands"
        " further right is derived from what stands above it. On the command line an error is reported in a"
        " sentence, with what to do next; there is no traceback.",
        *parts,
    )


def _tree(root: type[BaseException], depth: int = 0) -> Iterator[tuple[str, str, str]]:
    indent = "&nbsp;" * 4 * depth
    yield f"{indent}`{root.__name__}`", _meaning_of(root), str(_exit(root))
    for each in root.__subclasses__():
        if each.__module__ == root.__module__:
            yield from _tree(each, depth + 1)


def _exit(kind: type[BaseException]) -> int:
    return next(EXITS[each] for each in kind.__mro__ if each in EXITS).value


_BRANCH = re.compile(r"[├└]── (?P<name>\w+)\s{2,}(?P<meaning>\S.*)")


def _meaning_of(kind: type[BaseException]) -> str:
    """What its own docstring says, else its result code, else the tree that its module draws."""
    if kind.__doc__:
        return _plain(inspect.cleandoc(kind.__doc__).split("\n\n")[0])
    if issubclass(kind, ldap_errors.ResultError):
        return f"result code {kind.code}: {kind.meaning}"
    drawn = {
        match["name"]: match["meaning"] for match in _BRANCH.finditer(_doc_of(sys.modules[kind.__module__]))
    }
    return drawn[kind.__name__]


def _doc_of(module: ModuleType) -> str:
    return module.__doc__ or ""


def _page(title: str, *parts: str) -> str:
    return "\n\n".join((f"# {title}", _MADE.rstrip(), *parts)) + "\n"


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *(tuple(map(_cell, row)) for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _code(text: str) -> str:
    return f"`{text}`" if text else ""


def _codes(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _plain(text: str) -> str:
    return " ".join(text.split())


def _escaped(text: str) -> str:
    """What Markdown would take for emphasis or a tag, as it is."""
    return re.sub(r"([*_<>])", r"\\\1", text)


_FIGURES = re.compile(r"(?<=<!-- figures -->\n).*?(?=<!-- end of figures -->)", re.DOTALL)


def readme() -> str:
    """The README, with the figures that `script/bench` measured last."""
    made = _figures(json.loads(MEASURED.read_text(encoding="utf-8")))
    text = _FIGURES.sub(lambda _: f"\n{made}\n\n", README.read_text(encoding="utf-8"))
    text = str(task_figures.fill(text, json.loads(TASKS.read_text(encoding="utf-8"))))
    return str(web_table.fill(text, json.loads(WEB.read_text(encoding="utf-8"))))


def _figures(result: dict[str, Any]) -> str:
    rows = (
        (name, f"{rate['unencrypted']:,.0f}", f"{rate['tls']:,.0f}", *_ratios(name, result))
        for name, rate in result["searches_per_second"].items()
    )
    software = ", ".join(f"{name} {version}" for name, version in result["software"].items())
    machine = result["machine"]
    goals = [f"{goal['name']}, {goal['wanted']}" for goal in result["goals"] if not goal["met"]]
    missed = f" A goal that is missed: {'; '.join(goals)}." if goals else ""
    told = (
        f"Searches per second, the median of {result['rounds']} rounds of {result['seconds_per_round']} s"
        f" each, measured on {result['measured']} with {machine['processors']} processors"
        f" ({machine['system']}, {machine['architecture']}): {software}. A ratio is the median of those"
        " of two turns in the same round, so it may differ from that of the medians. Encrypted, Quintet"
        f" keeps {result['tls_keeps']['quintet']:.0%} of its searches. `slapd` ran with"
        f" {result['slapd_threads']} threads and without logging; with its own default"
        " of 16 threads its locks are the limit, and the"
        f" clients draw nearer each other (`script/bench --threads 16`).{missed}"
    )
    table = _table(("client", "unencrypted", "TLS", "Quintet is, unencrypted", "Quintet is, TLS"), rows)
    return f"{table}\n\n{told}"


def _ratios(name: str, result: dict[str, Any]) -> tuple[str, str]:
    if name == "quintet":
        return "", ""
    ratio = result["quintet_is_times_as_fast_as"][name]
    return f"{ratio['unencrypted']:.2f} times as fast", f"{ratio['tls']:.2f} times as fast"


ROOT = FOLDER.parent.parent
README, MEASURED = ROOT / "README.md", ROOT / "bench" / "results.json"
TASKS, WEB = (ROOT / "bench" / f"results-{name}.json" for name in ("tasks", "web"))
PAGES: dict[Path, Callable[[], str]] = {
    FOLDER / "settings.md": settings,
    FOLDER / "commands.md": commands,
    FOLDER.parent / "man" / "quintet.1": command_pages.man,
    FOLDER / "findings.md": findings,
    FOLDER / "exit-codes.md": exit_codes,
    FOLDER / "errors.md": errors,
}
if MEASURED.exists():
    PAGES[README] = readme


def main() -> int:
    check = "--check" in sys.argv[1:]
    stale = [
        page
        for page, make in PAGES.items()
        if not page.exists() or page.read_text(encoding="utf-8") != make()
    ]
    for page in stale:
        if not check:
            page.write_text(PAGES[page](), encoding="utf-8")
        sys.stderr.write(f"{page.name} {'is out of date: run script/docs' if check else 'written'}\n")
    return int(check and bool(stale))


if __name__ == "__main__":
    sys.exit(main())
