"""An administrator of the sample organisation, at the HTTP front: a member of the group `Chess Club`."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

from quintet.embedded import sample
from support.folder import settings_folder
from support.slapd import Slapd
from support.web_site import Web, post_sign_in

GROUP = "Chess Club"
APPLICATION = """
[Application-wiki]
QUINTET_REQUIRED_GROUPS=All Staff
QUINTET_SENT_GROUPS=All Staff
"""


def _first_member(group: str) -> str:
    """The `uid` of the first member."""
    by_dn = {entry.dn.encode(): entry.attributes for entry in sample.entries()}
    member = next(each for each in by_dn.values() if each.get("cn") == [group.encode()])["member"][0]
    return by_dn[member]["uid"][0].decode()


ADMIN = _first_member(GROUP)


def admin_folder(folder: Path, server: Slapd, level: str) -> Path:
    """Settings with an administrators' group and an application, at this level.

    At `none`, unencrypted groups are believed: there would be no administrators.
    """
    config = {"QUINTET_ADMIN_GROUP": GROUP}
    if level == "none":
        config["QUINTET_ALLOW_UNENCRYPTED_GROUPS"] = "1"
    account = None if level == "passwords" else (sample.READER, sample.READER_PASSWORD)
    settings_folder(folder, server, level=level, account=account, config=config)
    with (folder / "sametime.ini").open("a", encoding="utf-8") as ini:
        ini.write(APPLICATION)
    return folder


@asynccontextmanager
async def signed_in_admin(web: Web, *, address: str = "127.0.0.1") -> AsyncIterator[httpx.AsyncClient]:
    """A browser in which the administrator has signed in by the form."""
    async with web.browser(address) as client:
        answer = await post_sign_in(client, {"name": ADMIN, "password": sample.password_of(ADMIN)})
        assert answer.headers["location"] == "/"
        yield client
