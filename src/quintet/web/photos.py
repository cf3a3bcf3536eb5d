"""A person's photo at `/photos/ID`, for `PhotoURL` and the pages (config 4.6, 5.4).

Without sign-in a photo is shown only when set 0 lists a picture; then caches may share it. No photo, no
person and no permission are the same answer.
"""

import hashlib

from starlette.requests import Request
from starlette.responses import Response

from quintet.cards import Field
from quintet.directory import AmbiguousNameError, DirectoryError, OutOfScopeError, UnknownNameError
from quintet.web.accounts import current_session
from quintet.web.problem import problem, problem_of
from quintet.web.site import Site

BELOW = "/photos/"

_LONGEST_ID = 1024
_SHARED = "public, max-age=3600"
_PERSONAL = "private, no-cache"


async def photo(request: Request, site: Site) -> Response:
    """The photo of the person with this ID, with the type that its first bytes tell."""
    public = site.shows_pictures(signed_in=False)
    signed_in = await current_session(site, request) is not None
    found: Field | None = None
    if public or (signed_in and site.shows_pictures(signed_in=True)):
        try:
            found = await _photo(site, request.scope["path"].removeprefix(BELOW))
        except DirectoryError as error:
            return problem_of(error)
    if found is None or not isinstance(found.value, bytes):
        return problem(404)
    tag = f'"{hashlib.blake2b(found.value, digest_size=32).hexdigest()}"'
    headers = {
        "etag": tag,
        "cache-control": _SHARED if public else _PERSONAL,
        "cross-origin-resource-policy": "cross-origin" if public else "same-origin",
    }
    if not public:
        headers["vary"] = "Cookie"
    if _matches(request.headers.get("if-none-match", ""), tag):
        return Response(status_code=304, headers=headers)
    return Response(found.value, media_type=found.type, headers=headers)


async def _photo(site: Site, ident: str) -> Field | None:
    if not ident.strip() or len(ident.encode(errors="replace")) > _LONGEST_ID:
        return None
    try:
        card = await site.cards.card(ident, only=("Photo",))
    except (UnknownNameError, AmbiguousNameError, OutOfScopeError):
        return None
    return card.fields.get("Photo")


def _matches(header: str, tag: str) -> bool:
    """RFC 9110 13.1.2: weak comparison."""
    return header.strip() == "*" or tag in (each.strip().removeprefix("W/") for each in header.split(","))
