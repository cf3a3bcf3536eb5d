"""Which pictures go onto a card: small ones, and only what they really are (reference 4.6)."""

LIMIT = 45 * 1024
"""Pictures of so many octets and more are left out: clients do not show them."""

JPEG, GIF = "image/jpeg", "image/gif"
_BEGINNINGS = ((b"\xff\xd8\xff", JPEG), (b"GIF87a", GIF), (b"GIF89a", GIF))


class PhotoError(ValueError):
    """The picture cannot be shown; the message says why."""


def photo_type(data: bytes) -> str:
    """The type that the first octets tell, whatever the settings say. Raises PhotoError."""
    if len(data) >= LIMIT:
        raise PhotoError(f"it has {len(data)} octets, and must have fewer than {LIMIT}")
    for beginning, kind in _BEGINNINGS:
        if data.startswith(beginning):
            return kind
    raise PhotoError("it is neither JPEG nor GIF")
