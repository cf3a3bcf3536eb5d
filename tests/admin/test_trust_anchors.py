"""The right certificate to trust is found, and those that would not help are named with the reason."""

import re

import pytest
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st

from quintet.admin.trust_anchor import (
    Anchor,
    AnchorSource,
    alias_for,
    choose_anchor,
    has_fingerprint,
    machine_roots,
    useless,
)
from quintet.tls import fingerprint, subject_of
from support import certs

ROOT = certs.authority("Root")
MIDDLE = certs.authority("Middle", issuer=ROOT)
LEAF = certs.leaf(MIDDLE, "ldap.example.com")
SELF = certs.self_signed("ldap.example.com")


def chain(*issued: certs.Issued) -> list[x509.Certificate]:
    return [one.certificate for one in issued]


@pytest.mark.parametrize(
    ("sent", "trusted", "roots", "found", "certificate"),
    [
        ([SELF], [], [], AnchorSource.SELF_SIGNED, SELF),
        ([SELF], [SELF], [], AnchorSource.IN_STORE, SELF),
        ([LEAF, MIDDLE, ROOT], [], [], AnchorSource.IN_CHAIN, ROOT),
        ([LEAF, ROOT, MIDDLE], [], [], AnchorSource.IN_CHAIN, ROOT),
        ([LEAF, MIDDLE, ROOT], [ROOT], [], AnchorSource.IN_STORE, ROOT),
        ([LEAF, MIDDLE], [ROOT], [], AnchorSource.IN_STORE, ROOT),
        ([LEAF, MIDDLE], [], [ROOT], AnchorSource.ON_MACHINE, ROOT),
        ([LEAF, MIDDLE, SELF], [], [SELF], AnchorSource.NOWHERE, None),
        ([LEAF], [SELF], [ROOT], AnchorSource.NOWHERE, None),
    ],
)
def test_c9_the_root_or_the_self_signed_certificate_is_chosen(
    sent: list[certs.Issued],
    trusted: list[certs.Issued],
    roots: list[certs.Issued],
    found: AnchorSource,
    certificate: certs.Issued | None,
) -> None:
    anchor = choose_anchor(chain(*sent), chain(*trusted), chain(*roots))
    assert (anchor.found, anchor.certificate) == (found, certificate and certificate.certificate)


def test_a_root_that_is_not_sent_is_named() -> None:
    assert choose_anchor(chain(LEAF, MIDDLE), ()) == Anchor(
        AnchorSource.NOWHERE, None, "CN=Root,O=Quintet Tests"
    )


def test_a_missing_intermediate_is_named() -> None:
    assert choose_anchor(chain(LEAF), ()).wanted == "CN=Middle,O=Quintet Tests"


def test_a_certificate_that_has_the_roots_name_but_not_its_key_is_not_chosen() -> None:
    pretender = certs.authority("Root", use="another key")
    assert choose_anchor(chain(LEAF, MIDDLE, pretender), ()).found is AnchorSource.NOWHERE


@pytest.mark.parametrize("one", [ROOT, MIDDLE, SELF])
def test_authorities_and_self_signed_certificates_help(one: certs.Issued) -> None:
    assert useless(one.certificate) is None


@pytest.mark.parametrize(
    ("one", "why"),
    [
        (LEAF, "server's own certificate, issued by 'CN=Middle,O=Quintet Tests'"),
        (certs.authority("Old", starts=-30, ends=-2), r"expired on \d{4}-\d\d-\d\d"),
        (certs.authority("New", starts=2), r"not valid until \d{4}-\d\d-\d\d"),
        (certs.expired(SELF), "a server's own certificate"),
    ],
)
def test_a_certificate_that_would_not_help_is_refused_with_the_reason(one: certs.Issued, why: str) -> None:
    reason = useless(one.certificate)
    assert reason is not None
    assert re.search(why, reason)


def test_a_chain_signed_with_sha1_is_followed() -> None:
    assert choose_anchor(chain(certs.sha1(ROOT), ROOT), ()).certificate == ROOT.certificate


@pytest.mark.parametrize("form", ["{0}", "{1}", "SHA256:{0}", "sha256 Fingerprint={0}", " {2}\n"])
def test_a_fingerprint_is_accepted_in_every_usual_form(form: str) -> None:
    printed = fingerprint(ROOT.certificate)
    text = form.format(printed, printed.replace(":", ""), printed.replace(":", " ").lower())
    assert has_fingerprint(ROOT.certificate, text)
    assert not has_fingerprint(SELF.certificate, text)


@given(st.text(max_size=70))
def test_what_is_no_fingerprint_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a SHA-256 fingerprint"):
        has_fingerprint(ROOT.certificate, text)


def test_an_alias_is_made_of_the_name_and_is_not_taken() -> None:
    assert alias_for(ROOT.certificate, set()) == "root"
    assert alias_for(ROOT.certificate, {"root", "root-2"}) == "root-3"
    assert alias_for(ROOT.certificate, {"mine"}, "Mine") == "Mine-2"
    assert alias_for(certs.authority("Zürich — Größe (α)").certificate, set()) == "zurich-groe"


def test_the_roots_of_this_machine_are_certificates() -> None:
    assert all(subject_of(root) for root in machine_roots())
