"""A person's photo at `/photos/ID`, for `PhotoURL` and the pages (config 4.6, 5.4).

Without sign-in a photo is shown only when set 0 lists a picture; then caches may share it. No photo, no
person and no permission are the same answer.
"""

import hashlib

from starlette.requests import HTTPConnection
from starlette.responses import Response

from quintet.cards import Field
from quintet.directory import AmbiguousNameError, DirectoryError, OutOfScopeError, UnknownNameError
from quintet.web.accounts import current_session
from quintet.web.content import Answer, Content, FixedHeaders, head_of
from quintet.web.problem import problem, problem_of
from quintet.web.site import Site

BELOW = "/photos/"

_LONGEST_ID = 1024
_SHARED = FixedHeaders(
    (b"cache-control", b"public, max-age=3600"),
    (b"cross-origin-resource-policy", b"cross-origin"),
)
_PERSONAL = FixedHeaders(
    (b"cache-control", b"private, no-cache"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"vary", b"Cookie"),
)


async def photo(request: HTTPConnection, site: Site) -> Answer:
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
    fixed, own = _SHARED if public else _PERSONAL, (b"etag", tag.encode())
    if _matches(head_of(request.scope).headers.get(b"if-none-match", b"").decode("latin-1"), tag):
        answer = Response(status_code=304)
        answer.raw_headers += (own, *fixed.headers)
        return answer
    return Content(found.value, fixed, own, (b"content-type", found.type.encode()))


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
