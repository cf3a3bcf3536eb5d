"""No byte and no character in a name widens a search or breaks a connection: the answer is no."""

import os
from collections.abc import Awaitable, Callable

import pytest

from quintet.directory.directory import Directory
from quintet.directory.entries import rdn_value
from quintet.directory.errors import (
    DirectoryError,
    DirectoryUnavailableError,
    UnknownGroupError,
    UnknownNameError,
)
from quintet.embedded.server import EmbeddedServer
from support import small

Serve = Callable[..., Awaitable[EmbeddedServer]]
DirectoryOf = Callable[..., Awaitable[Directory]]


async def test_c47_names_of_every_byte_find_nothing(serve: Serve, directory_of: DirectoryOf) -> None:
    directory = await directory_of(await serve())
    for number in range(256):
        name = os.fsdecode(bytes([number])) + "~"
        assert not (await directory.resolve(name)).matches
        with pytest.raises(UnknownNameError):
            await directory.resolve_login(name)
        with pytest.raises(UnknownGroupError):
            await directory.members(name)
        with pytest.raises(DirectoryError):
            await directory.browse(name)
    assert [row.reconnects for row in directory.status()] == [0] * 5


@pytest.mark.parametrize("name", ["\ud800", "cn=\ud800,o=example", "cn=\udcff\ud800"])
async def test_half_a_pair_of_surrogates_is_nobodys_name(
    serve: Serve, directory_of: DirectoryOf, name: str
) -> None:
    directory = await directory_of(await serve())
    assert not (await directory.resolve(name)).matches
    for ask in (directory.resolve_login, directory.members, directory.browse):
        with pytest.raises(DirectoryError) as told:
            await ask(name)
        assert not isinstance(told.value, DirectoryUnavailableError)


@pytest.mark.parametrize("uid", ["comma", "odd"])
async def test_dns_with_commas_stars_and_slashes_are_members_like_others(
    serve: Serve, directory_of: DirectoryOf, uid: str
) -> None:
    directory = await directory_of(await serve())
    for group in (small.ODD_GROUP, small.group_dn(small.ODD_GROUP)):
        found = await directory.members(group)
        assert small.person_dn(uid) in [member.dn for member in found.members]
        assert not found.missing


@pytest.mark.parametrize("dn", ["uid=,ou=x,o=example", "uid=\\20,o=example"])
def test_an_entry_whose_rdn_is_blank_is_shown_by_its_dn(dn: str) -> None:
    assert rdn_value(dn) == dn
