"""SCRAM-SHA-1 and SCRAM-SHA-256, with and without channel binding (RFC 5802, RFC 7677): both halves, no I/O.

Whatever is wrong with the exchange raises ScramError. Its words never hold a secret.
"""

import base64
import binascii
import hashlib
import hmac
import re
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, final

from quintet.ldap.sasl.channel_binding import TLS_SERVER_END_POINT, ChannelBinding
from quintet.ldap.sasl.saslprep import saslprep

FEWEST_ITERATIONS: Final = 4096
"""RFC 5802 section 5.1: fewer make a stolen exchange too easy to break."""

MOST_ITERATIONS: Final = 2_000_000
"""More are no security but an attack: about a second of one core."""

MECHANISMS: Final = ("SCRAM-SHA-256-PLUS", "SCRAM-SHA-1-PLUS", "SCRAM-SHA-256", "SCRAM-SHA-1")
"""The best first: binding to TLS is worth more than the longer hash."""

_HASHES = {"SCRAM-SHA-1": "sha1", "SCRAM-SHA-256": "sha256"}


class ScramError(Exception):
    """The other side did not keep to SCRAM, or could not prove that it knows the password."""


class ScramUnavailableError(ScramError):
    """SCRAM does not allow what was given: the mechanism, the name or the password."""


def choose(offered: Sequence[str], *, bound: bool) -> str | None:
    """The best mechanism of those offered; with `bound`, the channel can be bound to."""
    return next((each for each in MECHANISMS if each in offered and (bound or not _is_plus(each))), None)


def salted_password(mechanism: str, password: bytes, salt: bytes, iterations: int) -> bytes:
    """`Hi(Normalize(password), salt, i)`: the part that takes its time, on purpose."""
    return hashlib.pbkdf2_hmac(_hash(mechanism), password, salt, iterations)


@dataclass(frozen=True, slots=True)
class Challenge:
    """What the server asks for: hash the password with this salt, so many times."""

    salt: bytes
    iterations: int


@final
class ScramClient:
    """Call `first`, `challenge`, `final` and `verify`, in this order."""

    def __init__(
        self,
        mechanism: str,
        user: str,
        password: str | bytes,
        *,
        authzid: str = "",
        binding: ChannelBinding | None = None,
        plus_offered: bool | None = None,
        nonce: str | None = None,
    ) -> None:
        """`binding` is the channel's, where there is TLS; `plus_offered` is None if the server was not asked.

        Raises ScramUnavailableError.
        """
        if _plain(mechanism) not in _HASHES:
            raise ScramUnavailableError(f"unsupported SASL mechanism: {mechanism}")
        if _is_plus(mechanism) and binding is None:
            raise ScramUnavailableError(f"{mechanism} needs TLS, and a certificate that can be bound to")
        self.mechanism = mechanism
        self._password = _prepared_password(password)
        if _is_plus(mechanism) and binding is not None:
            flag = f"p={binding.name}"
        else:
            # "y": we could have, had the server offered it. A server that did offer it sees an attack.
            flag = "y" if binding is not None and plus_offered is False else "n"
        self._gs2 = f"{flag},{'a=' + _saslname(authzid) if authzid else ''},".encode()
        self._binding = binding.data if _is_plus(mechanism) and binding is not None else b""
        self._nonce = nonce or secrets.token_urlsafe(24)
        self._bare = f"n={_saslname(user)},r={self._nonce}".encode()
        self._server_first = b""
        self._server_nonce = ""
        self._server_signature = b""

    def first(self) -> bytes:
        return self._gs2 + self._bare

    def challenge(self, server_first: bytes) -> Challenge:
        """Read the server's first message. Its bounds protect both the password and our time."""
        self._server_first = server_first
        found = _attributes(server_first)
        if list(found)[:3] != ["r", "s", "i"]:
            raise ScramError("the server's first message is not of SCRAM's form")
        nonce = found["r"]
        if not nonce.startswith(self._nonce) or len(nonce) == len(self._nonce):
            raise ScramError("the server did not add to our nonce")
        self._server_nonce = nonce
        iterations = int(found["i"]) if re.fullmatch(r"[1-9][0-9]{0,9}", found["i"]) else 0
        if not FEWEST_ITERATIONS <= iterations <= MOST_ITERATIONS:
            raise ScramError(
                f"the server wants {found['i'][:20]} iterations; {FEWEST_ITERATIONS} to "
                f"{MOST_ITERATIONS} are allowed"
            )
        return Challenge(_unbase64(found["s"]), iterations)

    def salted(self, challenge: Challenge) -> bytes:
        """The slow step; it may run in a thread of its own."""
        return salted_password(self.mechanism, self._password, challenge.salt, challenge.iterations)

    def final(self, salted: bytes) -> bytes:
        name = _hash(self.mechanism)
        without_proof = (
            b"c=" + base64.b64encode(self._gs2 + self._binding) + f",r={self._server_nonce}".encode()
        )
        signed = b",".join((self._bare, self._server_first, without_proof))
        client_key = hmac.digest(salted, b"Client Key", name)
        signature = hmac.digest(hashlib.new(name, client_key).digest(), signed, name)
        self._server_signature = hmac.digest(hmac.digest(salted, b"Server Key", name), signed, name)
        return without_proof + b",p=" + base64.b64encode(_xor(client_key, signature))

    def verify(self, server_final: bytes) -> None:
        """Make sure that the server knows the password, too."""
        found = _attributes(server_final)
        if "e" in found:
            raise ScramError(f"the server ended the exchange: {found['e'][:100]!r}")
        if not self._server_signature or not hmac.compare_digest(
            _unbase64(found.get("v", "")), self._server_signature
        ):
            raise ScramError("the server could not prove that it knows the password")


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a server keeps in the place of a password (RFC 5802 section 3)."""

    salt: bytes
    iterations: int
    stored_key: bytes = field(repr=False)
    server_key: bytes = field(repr=False)


def credentials(
    mechanism: str, password: str | bytes, *, salt: bytes | None = None, iterations: int = FEWEST_ITERATIONS
) -> Credentials:
    salt = secrets.token_bytes(16) if salt is None else salt
    name = _hash(mechanism)
    salted = salted_password(mechanism, _prepared_password(password), salt, iterations)
    client_key = hmac.digest(salted, b"Client Key", name)
    stored_key = hashlib.new(name, client_key).digest()
    return Credentials(salt, iterations, stored_key, hmac.digest(salted, b"Server Key", name))


@final
class ScramServer:
    """The other half: `first`, then `final`. `user` and `authzid` are known after `first`.

    `lookup` gives the credentials of a user; `binding` is the hash of our certificate; `plus_offered`
    tells whether clients could see the PLUS mechanisms.
    """

    def __init__(
        self,
        mechanism: str,
        lookup: Callable[[str], Credentials | None],
        *,
        binding: bytes | None = None,
        plus_offered: bool = False,
        nonce: str | None = None,
    ) -> None:
        if _plain(mechanism) not in _HASHES or (_is_plus(mechanism) and binding is None):
            raise ScramError(f"{mechanism} cannot be used here")
        self.mechanism = mechanism
        self.user = ""
        self.authzid = ""
        self._lookup = lookup
        self._binding = binding if _is_plus(mechanism) else None
        self._plus_offered = plus_offered
        self._nonce = nonce or secrets.token_urlsafe(24)
        self._gs2 = b""
        self._signed = b""
        self._credentials: Credentials | None = None

    def first(self, client_first: bytes) -> bytes:
        """The answer to the client's first message."""
        found = re.fullmatch(
            rb"((n|y|p=[A-Za-z0-9.-]+),(?:a=([^,]+))?,)(n=([^,]+),r=([!-+\--~]+).*)", client_first
        )
        if found is None:
            raise ScramError("the client's first message is not of SCRAM's form")
        self._gs2, flag, authzid, bare, user, nonce = found.groups()
        if flag.startswith(b"p=") != (self._binding is not None):
            raise ScramError("the channel binding does not fit the mechanism")
        if self._binding is not None and flag[2:] != TLS_SERVER_END_POINT.encode():
            raise ScramError("this kind of channel binding is not known here")
        if flag == b"y" and self._plus_offered:
            raise ScramError("the PLUS mechanisms were hidden from the client")
        self.user, self.authzid = _name(user), _name(authzid or b"")
        self._credentials = self._lookup(self.user)
        if self._credentials is None:
            raise ScramError("the name or the password is wrong")
        self._nonce = nonce.decode("ascii") + self._nonce
        salt = base64.b64encode(self._credentials.salt).decode()
        answer = f"r={self._nonce},s={salt},i={self._credentials.iterations}".encode()
        self._signed = bare + b"," + answer
        return answer

    def final(self, client_final: bytes) -> bytes:
        """The answer to the client's proof. Raises ScramError when it does not hold."""
        without_proof, separator, proof = client_final.rpartition(b",p=")
        bound = base64.b64encode(self._gs2 + (self._binding or b""))
        if (
            self._credentials is None
            or not separator
            or without_proof != b"c=" + bound + b",r=" + self._nonce.encode()
        ):
            raise ScramError("the client's final message does not fit the exchange")
        name = _hash(self.mechanism)
        signed = self._signed + b"," + without_proof
        signature = hmac.digest(self._credentials.stored_key, signed, name)
        client_key = _xor(_unbase64(proof.decode("ascii", "replace")), signature)
        if not hmac.compare_digest(hashlib.new(name, client_key).digest(), self._credentials.stored_key):
            raise ScramError("the name or the password is wrong")
        return b"v=" + base64.b64encode(hmac.digest(self._credentials.server_key, signed, name))


def _is_plus(mechanism: str) -> bool:
    return mechanism.endswith("-PLUS")


def _plain(mechanism: str) -> str:
    return mechanism.removesuffix("-PLUS")


def _hash(mechanism: str) -> str:
    return _HASHES[_plain(mechanism)]


def _xor(one: bytes, other: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(one, other, strict=False))


def _unbase64(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise ScramError("what should be base64 is not") from None


def _attributes(message: bytes) -> dict[str, str]:
    """`attr-val *("," attr-val)`: each once, and none that demands an extension (`m=`)."""
    found: dict[str, str] = {}
    for part in message.decode("utf-8", "replace").split(","):
        name, separator, value = part.partition("=")
        if not separator or len(name) != 1 or name in found:
            raise ScramError("the server's message is not of SCRAM's form")
        found[name] = value
    if "m" in found:
        raise ScramError("the server demands an extension of SCRAM that we do not know")
    return found


def _saslname(text: str) -> str:
    try:
        return saslprep(text).replace("=", "=3D").replace(",", "=2C")
    except ValueError as error:
        raise ScramUnavailableError(f"the name cannot be used: {error}") from None


def _name(data: bytes) -> str:
    if re.search(rb"=(?!2C|3D)", data):
        raise ScramError("the name is badly escaped")
    return data.decode("utf-8", "replace").replace("=2C", ",").replace("=3D", "=")


def _prepared_password(password: str | bytes) -> bytes:
    """Bytes that are not UTF-8 are taken as they are: no rule says what they should become."""
    try:
        text = password if isinstance(password, str) else password.decode()
    except UnicodeDecodeError:
        assert isinstance(password, bytes)
        return password
    try:
        return saslprep(text).encode()
    except ValueError:
        raise ScramUnavailableError(
            "the password has characters that SASLprep prohibits (RFC 4013)"
        ) from None
