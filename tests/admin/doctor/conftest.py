"""Folders to examine against real slapds, sound unless a test changes them."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from quintet.admin.doctor import examine
from quintet.diagnostics import Diagnostic
from quintet.embedded import sample
from support import keytool, small
from support.folder import SERVICE, settings_folder
from support.slapd import Slapd

FolderMaker = Callable[..., Path]


@pytest.fixture(scope="session")
def trust_store(tmp_path_factory: pytest.TempPathFactory, slapd: Slapd) -> Path:
    folder = tmp_path_factory.mktemp("doctor-stores")
    return keytool.trust_store(folder / "ldaptruststore.p12", {"ldap": slapd.authority})


@pytest.fixture(scope="session")
def partner(slapd: Slapd) -> Iterator[Slapd]:
    """A second directory, with another base."""
    ldif = small.LDIF.replace(b"o=example", b"o=partner").replace(b"o: example", b"o: partner")
    with Slapd(ldif, base="o=partner", authority=slapd.authority, certificate=slapd.certificate) as server:
        yield server


@pytest.fixture
def make_folder(tmp_path: Path, slapd: Slapd, trust_store: Path) -> FolderMaker:
    """A sound folder for the sample organisation."""

    def make(**options: Any) -> Path:
        chosen: dict[str, Any] = {
            "store": trust_store,
            "account": (sample.READER, sample.READER_PASSWORD),
            "cards_encrypted": True,
        } | options
        return settings_folder(tmp_path / "settings", slapd, **chosen)

    return make


@pytest.fixture
def small_folder(tmp_path: Path, trust_store: Path) -> FolderMaker:
    """A sound folder for another server, with the organisation of `support.small`, which has no photos."""

    def make(server: Slapd, **options: Any) -> Path:
        chosen: dict[str, Any] = {"store": trust_store, "account": SERVICE, "cards_encrypted": True} | options
        folder = settings_folder(tmp_path / "settings", server, **chosen)
        edit(
            folder / "UserInfoConfig.xml",
            '        <Detail Id="Photo" FieldName="jpegPhoto" Type="image/jpeg"/>\n',
            "",
        )
        edit(folder / "UserInfoConfig.xml", ",Photo", "")
        return folder

    return make


def edit(file: Path, old: str, new: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert old in text, f"{old!r} is not in {file.name}"
    file.write_text(text.replace(old, new), encoding="utf-8")


@pytest.fixture(name="edit")
def edit_fixture() -> Callable[[Path, str, str], None]:
    return edit


class Doctor:
    """Examines a folder; `found` is what was found the last time."""

    def __init__(self) -> None:
        self.found: tuple[Diagnostic, ...] = ()

    async def codes(
        self, folder: Path, environ: Mapping[str, str] | None = None, *, for_sametime: bool = False
    ) -> set[str]:
        """The codes of all problems, "Q90" (not examined) included."""
        self.found = await examine(folder, environ or {}, for_sametime=for_sametime)
        return {each.code.name for each in self.found}

    def one(self, code: str) -> Diagnostic:
        return next(each for each in self.found if each.code.name == code)


@pytest.fixture
def doctor() -> Doctor:
    return Doctor()
