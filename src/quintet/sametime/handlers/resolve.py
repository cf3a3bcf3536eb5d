"""RESOLVE: users and groups for names (P80 to P82), over the task `RESOLVE_NAMES`.

Without ALL_DIRECTORIES only matches of the first server in `SearchOrder` that has one are sent. A query that
is the ID of a match resolves to that one alone, with the ID in the query's own bytes: clients compare them.
"""

import asyncio
from collections.abc import Sequence
from typing import Final, final

from quintet.directory import DirectoryError, Group, Person, Resolution, Service
from quintet.sametime.client import Client
from quintet.sametime.context import ServerContext
from quintet.sametime.ids import id_key
from quintet.sametime.name_cache import NameCache
from quintet.sametime.reason import ResolveCode
from quintet.sametime.services.resolve import (
    MatchType,
    ResolveFlag,
    ResolveMatch,
    ResolveRequest,
    ResolveResponse,
    ResolveResult,
    decode_request,
)
from quintet.sametime.wire.codec import clip
from quintet.sametime.wire.messages import ChannelCreate

_LONGEST_ID: Final = 16 * 1024
_LONGEST_TEXT: Final = 1024


@final
class ResolveHandler:
    """`names` has what the directory answered lately."""

    def __init__(self, context: ServerContext, names: NameCache) -> None:
        self._context = context
        self._names = names

    def open(self, client: Client, channel: int, _create: ChannelCreate) -> None:
        if client.session.channels.accept(channel):
            client.hosted[channel] = self

    def closed(self, client: Client, channel: int) -> None:
        """Answers that are on their way are dropped."""

    def receive(self, client: Client, channel: int, message_type: int, data: bytes) -> None:
        request = decode_request(message_type, data)
        if len(request.names) > self._context.limits.names_per_request:
            response = ResolveResponse(request.request_id, code=ResolveCode.TOO_MANY_NAMES)
            client.session.channels.send(channel, response.TYPE, response.encode())
        elif (known := self._known(request)) is not None:
            response = self._response(request, known)
            client.session.channels.send(channel, response.TYPE, response.encode())
        else:
            self._context.request(client, "resolve", self._answer(client, channel, request))

    def _known(self, request: ResolveRequest) -> list[Resolution] | None:
        """The answers, if all names are IDs of recent answers. None if the directory has to be asked.

        After signing in, a client asks for every member of its groups, one by one: that needs no task.
        """
        users, groups = request.wants_users, request.wants_groups
        answers = []
        for name in request.names:
            record = self._names.find(name, users=users, groups=groups)
            if record is None:
                return None
            answers.append(Resolution((record,), exact=True, complete=True))
        return answers

    async def _answer(self, client: Client, channel: int, request: ResolveRequest) -> None:
        answers = await asyncio.gather(
            *(self._look_up(client, name, request) for name in dict.fromkeys(request.names)),
            return_exceptions=True,
        )
        found = dict(zip(dict.fromkeys(request.names), answers, strict=True))
        for answer in answers:
            if isinstance(answer, BaseException) and not isinstance(answer, DirectoryError):
                raise answer
        response = self._response(request, [found[name] for name in request.names])
        client.session.channels.send(channel, response.TYPE, response.encode())

    async def _look_up(self, client: Client, name: str, request: ResolveRequest) -> Resolution:
        found, asked = await self._names.resolve(name, users=request.wants_users, groups=request.wants_groups)
        client.tasks[Service.RESOLVE_NAMES] += asked
        return found

    def _response(
        self, request: ResolveRequest, found: Sequence[Resolution | BaseException]
    ) -> ResolveResponse:
        failed = [isinstance(each, BaseException) for each in found]
        if failed and all(failed):
            return ResolveResponse(request.request_id, code=ResolveCode.FAILURE)
        partial = any(isinstance(each, BaseException) or each.unavailable for each in found)
        code = ResolveCode.PARTIAL if partial else ResolveCode.SUCCESS
        results = [
            self._result(name, request.flags, each) for name, each in zip(request.names, found, strict=True)
        ]
        return ResolveResponse(request.request_id, tuple(results), code)

    def _result(self, name: str, flags: ResolveFlag, found: Resolution | BaseException) -> ResolveResult:
        if isinstance(found, BaseException):
            return ResolveResult(name, code=ResolveCode.FAILURE)
        if not name.strip(" *"):
            return ResolveResult(name, code=ResolveCode.UNRESOLVABLE)
        matches = [each for each in found.matches if _may_be_told(each)]
        if not flags & ResolveFlag.ALL_DIRECTORIES:
            matches = self._of_first_server(matches)
        key = id_key(name)
        same = [each for each in matches if id_key(each.id) == key]
        if same:
            return ResolveResult(name, (_match(same[0], name),))
        if len(matches) > 1 and flags & ResolveFlag.UNIQUE:
            return ResolveResult(name, code=ResolveCode.NOT_UNIQUE)
        most = self._context.limits.matches
        return ResolveResult(name, tuple([_match(each, each.id) for each in matches[:most]]))

    def _of_first_server(self, matches: list[Person | Group]) -> list[Person | Group]:
        there = {each.server for each in matches}
        if len(there) < 2:
            return matches
        order = self._context.settings.search_order
        first = next((label for label in order if label in there), matches[0].server)
        return [each for each in matches if each.server == first]


def _may_be_told(record: Person | Group) -> bool:
    """Whether clients can take the ID: it has to come back as it is."""
    return bool(record.id) and len(record.id) <= _LONGEST_ID and "\0" not in record.id


def _match(record: Person | Group, identifier: str) -> ResolveMatch:
    kind = MatchType.USER if isinstance(record, Person) else MatchType.GROUP
    mail = record.mail if isinstance(record, Person) else None
    description = record.description or mail or ""
    return ResolveMatch(identifier, clip(record.name, _LONGEST_TEXT), clip(description, _LONGEST_TEXT), kind)
