"""A path that exists is found, although OpenSSL takes the first issuer of the right name."""

import contextlib
import itertools
import ssl
from collections.abc import Awaitable, Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quintet.ldap.connection import connect
from quintet.ldap.errors import TlsError
from quintet.ldap.limits import Address
from quintet.tls.certificates import by_subject, find_path, load_certificate
from quintet.tls.context import ChainError, make_context
from quintet.tls.diagnosis import Reason, explain
from quintet.tls.settings import TlsSettings
from quintet.tls.stores import Store, new_store
from support import certs, odd
from support.certs import Issued

Serve = Callable[..., AbstractContextManager[int]]
Hands = Callable[..., Awaitable[Any]]

NOW = datetime.now(UTC)
OLD, NEW = certs.authority(use="old root"), certs.authority(use="new root")


def without_identifiers(issuer: Issued) -> Issued:
    """A leaf that does not say which key of its issuer signed it, as `openssl x509 -req` makes them."""
    return bare(certs.leaf(issuer, *certs.LOCAL), issuer)


def bare(leaf: Issued, issuer: Issued) -> Issued:
    return Issued(load_certificate(odd.edited(leaf, issuer, odd.without(odd.ISSUERS_KEY))), leaf.key)


SIGNED_BY = {"old": without_identifiers(OLD), "new": without_identifiers(NEW)}


def trusting(issued: Iterable[Issued]) -> Store:
    store = new_store()
    for number, each in enumerate(issued):
        store = store.with_trusted(str(number), each.certificate)
    return store


async def reached(context: ssl.SSLContext, port: int, host: str = "localhost") -> bool:
    """Whether our LDAP client gets through the handshake."""
    address = Address(host, port)
    try:
        connection = await connect(address, tls=context, via=("127.0.0.1", port), timeout=5)
    except TlsError:
        return False
    await connection.close()
    return True


@pytest.mark.parametrize("with_root", [False, True], ids=["alone", "with its root"])
@pytest.mark.parametrize("signer", ["old", "new"])
@pytest.mark.parametrize("order", [(OLD, NEW), (NEW, OLD)], ids=["old first", "new first"])
async def test_two_roots_of_one_name_both_work_in_any_order(
    serve: Serve, order: tuple[Issued, ...], signer: str, with_root: bool
) -> None:
    leaf = SIGNED_BY[signer]
    root = OLD if signer == "old" else NEW
    shown = replace(leaf, chain=(root.certificate,)) if with_root else leaf
    context = make_context(TlsSettings(), trust=trusting(order))
    with serve(shown) as port:
        assert await reached(context, port)
        assert await reached(context, port)


async def test_ten_roots_of_one_name_all_work(serve: Serve) -> None:
    roots = [certs.authority(use=f"root {number}", kind="p256") for number in range(9)]
    context = make_context(TlsSettings(), trust=trusting((*roots, OLD)))
    with serve(SIGNED_BY["old"]) as port:
        assert await reached(context, port)


async def test_what_was_learned_of_a_host_saves_the_second_attempt(serve: Serve, shake_hands: Hands) -> None:
    """Only the first of all connections fails once; and each host has its own."""
    contexts = [make_context(TlsSettings(), trust=trusting(order)) for order in ((OLD, NEW), (NEW, OLD))]
    with serve(SIGNED_BY["old"]) as port, serve(SIGNED_BY["new"]) as other:
        for context in contexts:
            assert await reached(context, port)
            await shake_hands(context, port)
            assert await reached(context, other, "127.0.0.1")
            await shake_hands(context, port)
            await shake_hands(context, other, "127.0.0.1")


async def test_a_host_that_changes_to_the_other_root_is_reached_again(serve: Serve) -> None:
    context = make_context(TlsSettings(), trust=trusting((OLD, NEW)))
    for _ in range(2):
        for leaf in SIGNED_BY.values():
            with serve(leaf) as port:
                assert await reached(context, port)


async def test_an_expired_intermediate_of_the_store_does_not_hide_the_renewed_one(serve: Serve) -> None:
    old = certs.authority("Intermediate", issuer=OLD, starts=-20, ends=-1)
    new = certs.authority("Intermediate", issuer=OLD)
    context = make_context(TlsSettings(), trust=trusting((OLD, old)))
    with serve(certs.leaf(new, *certs.LOCAL)) as port:
        assert await reached(context, port)


async def test_a_certificate_of_the_cas_name_that_is_no_ca_does_not_hide_the_ca(serve: Serve) -> None:
    ca = certs.authority("Home CA")
    false = certs.leaf(None, cn="Home CA", use="namesake")
    context = make_context(TlsSettings(), trust=trusting((false, ca)))
    with serve(without_identifiers(ca)) as port:
        assert await reached(context, port)


async def refused(serve: Serve, shake_hands: Hands, leaf: Issued, trust: Store) -> ChainError:
    with serve(leaf) as port, pytest.raises(ChainError) as raised:
        await shake_hands(make_context(TlsSettings(), trust=trust), port)
    return raised.value


async def test_where_no_root_of_the_name_signed_there_is_no_second_attempt(
    serve: Serve, shake_hands: Hands
) -> None:
    leaf = without_identifiers(certs.authority(use="third root"))
    error = await refused(serve, shake_hands, leaf, trusting((OLD, NEW)))
    assert error.better_context is None
    told = explain(error, host="h", port=1, settings=TlsSettings(), trust=trusting((OLD, NEW)))
    assert told.reason is Reason.UNKNOWN_ISSUER


@pytest.mark.parametrize(
    "make",
    [
        lambda: certs.expired(OLD),
        lambda: certs.not_yet_valid(OLD),
        certs.self_signed,
        lambda: certs.leaf(certs.authority("Other"), *certs.LOCAL),
        lambda: certs.leaf(OLD, *certs.LOCAL, client=True),
    ],
    ids=["expired", "not yet valid", "self-signed", "unknown issuer", "for clients"],
)
async def test_another_fault_is_not_tried_again(
    serve: Serve, shake_hands: Hands, make: Callable[[], Issued]
) -> None:
    assert (await refused(serve, shake_hands, make(), trusting((OLD,)))).better_context is None


async def test_the_second_attempt_trusts_nothing_but_one_certificate_of_the_store(
    serve: Serve, shake_hands: Hands
) -> None:
    trust = trusting((OLD, NEW, certs.authority("Other")))
    proposed = []
    for leaf in SIGNED_BY.values():
        with serve(leaf) as port, contextlib.suppress(ChainError):
            await shake_hands(make_context(TlsSettings(), trust=trust), port)
            continue
        error = await refused(serve, shake_hands, leaf, trust)
        proposed.append(error.better_context)
    (context,) = proposed
    assert context is not None
    (anchor,) = context.get_ca_certs(binary_form=True)
    assert load_certificate(anchor) in trust.certificates


async def test_the_second_attempt_still_checks_the_name(serve: Serve) -> None:
    with serve(bare(certs.leaf(OLD, "ldap.example.com"), OLD)) as port:
        for order in ((OLD, NEW), (NEW, OLD)):
            assert not await reached(make_context(TlsSettings(), trust=trusting(order)), port)


@given(
    sent=st.lists(st.sampled_from(range(4)), max_size=6),
    trusted=st.sets(st.sampled_from(range(4)), max_size=4),
)
@settings(max_examples=60, deadline=None)
def test_a_path_is_signed_all_the_way_and_ends_at_a_trusted_certificate(
    sent: list[int], trusted: set[int]
) -> None:
    middle = certs.authority("Intermediate", issuer=OLD)
    known = (OLD, NEW, middle, certs.authority("Other"))
    leaf = certs.leaf(middle, *certs.LOCAL).certificate
    anchors = [known[number].certificate for number in trusted]
    found = find_path([leaf, *(known[number].certificate for number in sent)], by_subject(anchors), NOW)
    possible = 2 in trusted or (2 in sent and 0 in trusted)
    assert (found is not None) is possible
    if found is not None:
        assert found[0] == leaf
        assert found[-1] in anchors
        for below, above in itertools.pairwise(found):
            below.verify_directly_issued_by(above)


def test_a_store_of_many_namesakes_costs_a_bounded_number_of_signatures() -> None:
    namesakes = [certs.authority(use=f"namesake {number}", kind="p256").certificate for number in range(100)]
    assert find_path([SIGNED_BY["old"].certificate], by_subject(namesakes), NOW) is None
