"""Refusals as documents (RFC 9457), and what each error of the directory becomes."""

import math
from http import HTTPStatus

from starlette.responses import JSONResponse

from quintet.directory import (
    AmbiguousNameError,
    AuthenticationError,
    BrowsingDisabledError,
    DirectoryError,
    InvalidPageTokenError,
    OutOfScopeError,
    TooManyAttemptsError,
    UnknownGroupError,
    UnknownNameError,
)

MEDIA_TYPE = "application/problem+json"

_OF_ERRORS: dict[type[DirectoryError], tuple[int, str, str]] = {
    AuthenticationError: (401, "sign-in-failed", "the name or the password is wrong"),
    UnknownNameError: (404, "not-found", "no match found"),
    UnknownGroupError: (404, "not-found", "no match found"),
    OutOfScopeError: (404, "not-found", "no match found"),
    AmbiguousNameError: (409, "ambiguous", "several entries have this name"),
    InvalidPageTokenError: (400, "invalid-page", "the page token is damaged or belongs to another level"),
    BrowsingDisabledError: (403, "browsing-disabled", "the administrator turned browsing off"),
}


class ProblemError(Exception):
    """Ends a request with this answer."""

    def __init__(self, answer: JSONResponse) -> None:
        super().__init__(answer.status_code)
        self.answer = answer


def problem(
    status: int, detail: str | None = None, *, code: str = "", headers: dict[str, str] | None = None
) -> JSONResponse:
    """A problem document. `code` is what programs read; `detail` is for people, and names no entry."""
    title = HTTPStatus(status).phrase
    content = {"type": "about:blank", "title": title, "status": status}
    content |= {"code": code or title.casefold().replace(" ", "-")}
    if detail:
        content["detail"] = detail
    return JSONResponse(content, status, headers, MEDIA_TYPE)


SOON = "60"
"""The seconds after which all that counts against a limit for requests has gone."""


def retry_after(error: TooManyAttemptsError) -> str:
    """The seconds for the header of that name (RFC 9110 10.2.3)."""
    return str(math.ceil(error.retry_after))


def too_many_requests() -> JSONResponse:
    """For a request beyond the limits of its account or network."""
    return problem(429, code="too-many-requests", headers={"retry-after": SOON})


def sessions_unavailable() -> JSONResponse:
    """For a request that can't be judged, because it is unknown who is signed in."""
    detail = "it can't be looked up who is signed in at the moment"
    return problem(503, detail, code="sessions-unavailable", headers={"retry-after": "5"})


def problem_of(error: DirectoryError) -> JSONResponse:
    """What a caller is sent for an error of the directory: nothing about servers and accounts."""
    if isinstance(error, TooManyAttemptsError):
        return problem(429, code="too-many-attempts", headers={"retry-after": retry_after(error)})
    for kind, (status, code, detail) in _OF_ERRORS.items():
        if isinstance(error, kind):
            return problem(status, detail, code=code)
    detail = "the directory can't be reached at the moment"
    return problem(503, detail, code="directory-unavailable", headers={"retry-after": "10"})
