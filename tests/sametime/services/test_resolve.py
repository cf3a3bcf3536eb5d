"""RESOLVE: the vectors, and what the flags mean."""

import pytest

from quintet.sametime.services.resolve import (
    MatchType,
    ResolveFlag,
    ResolveMatch,
    ResolveRequest,
    ResolveResponse,
    ResolveResult,
    decode_request,
    decode_response,
)
from quintet.sametime.wire.messages import ChannelSend, decode
from support import sametime_vectors as vectors

BOB = ResolveMatch("uid=bob,ou=people,dc=example,dc=org", "Bob Example", type=MatchType.USER)


def test_v13_asks_for_a_user() -> None:
    message = decode(vectors.V13.content)
    assert isinstance(message, ChannelSend)
    request = ResolveRequest(1, ("bob",), ResolveFlag.FIRST | ResolveFlag.USERS)
    assert decode_request(message.type, message.data) == request
    assert request.encode() == message.data


@pytest.mark.parametrize(
    ("vector", "response"),
    [
        (vectors.V14, ResolveResponse(1, (ResolveResult("bob", (BOB,)),))),
        (vectors.V15, ResolveResponse(1, (ResolveResult("zzz"),))),
    ],
    ids=["V14", "V15"],
)
def test_the_answers_of_the_vectors(vector: vectors.Vector, response: ResolveResponse) -> None:
    message = decode(vector.content)
    assert isinstance(message, ChannelSend)
    assert decode_response(message.type, message.data) == response
    assert response.encode() == message.data


@pytest.mark.parametrize(
    ("flags", "users", "groups"),
    [
        (ResolveFlag(0), True, False),
        (ResolveFlag.UNIQUE, True, False),
        (ResolveFlag.USERS, True, False),
        (ResolveFlag.GROUPS, False, True),
        (ResolveFlag.USERS | ResolveFlag.GROUPS, True, True),
    ],
)
def test_users_are_wanted_unless_only_groups_are(flags: ResolveFlag, users: bool, groups: bool) -> None:
    request = ResolveRequest(1, (), flags)
    assert (request.wants_users, request.wants_groups) == (users, groups)


def test_unknown_flags_are_kept() -> None:
    request = decode_request(2, bytes(12) + b"\x80\x00\x00\x48")
    assert request.flags == 0x80000048
    assert request.wants_users
