"""Invented portraits: small symmetric patterns, drawn as real JPEG files.

The encoder writes baseline JPEG (ITU-T T.81) in which each block of 8 by 8 pixels has one colour. So only
the DC coefficients count, and a picture is some 500 bytes.
"""

import colorsys
import hashlib
import struct
from collections.abc import Sequence
from functools import lru_cache
from itertools import chain

Colour = tuple[int, int, int]
"""Red, green, blue; 0 to 255."""

_CELLS = 5
_BLOCKS_A_CELL = 2
_PAPER: Colour = (244, 244, 240)


def draw(seed: str) -> bytes:
    """A JPEG of 96 by 96 pixels that is always the same for the same `seed`."""
    raw = hashlib.sha256(seed.encode()).digest()
    red, green, blue = colorsys.hls_to_rgb(raw[0] / 256, 0.35 + raw[1] / 1280, 0.6)
    ink = (round(red * 255), round(green * 255), round(blue * 255))
    half = (_CELLS + 1) // 2
    cells = [
        [raw[2 + row * half + min(column, _CELLS - 1 - column)] & 1 for column in range(_CELLS)]
        for row in range(_CELLS)
    ]
    side = _CELLS * _BLOCKS_A_CELL
    rows = [[_PAPER] * (side + 2)]
    for y in range(side):
        inked = (cells[y // _BLOCKS_A_CELL][x // _BLOCKS_A_CELL] for x in range(side))
        rows.append([_PAPER, *(ink if cell else _PAPER for cell in inked), _PAPER])
    rows.append([_PAPER] * (side + 2))
    return encode(rows)


def encode(blocks: Sequence[Sequence[Colour]]) -> bytes:
    """A JPEG whose blocks of 8 by 8 pixels have the colours of `blocks`, row by row."""
    height, width = len(blocks) * 8, len(blocks[0]) * 8
    return b"".join(
        (
            b"\xff\xd8",  # start of image
            _segment(0xE0, b"JFIF\0\1\1\0\0\1\0\1\0\0"),
            _segment(0xDB, b"\0" + b"\x08" * 64),  # steps of 8: a DC coefficient is the mean itself
            _segment(0xC0, struct.pack(">BHHB", 8, height, width, 3) + b"\1\x11\0\2\x11\0\3\x11\0"),
            _segment(0xC4, b"\x00" + _DC_COUNTS + bytes(range(12))),
            _segment(0xC4, b"\x10" + b"\1" + bytes(15) + b"\0"),  # AC: one code, "0", for the end of a block
            _segment(0xDA, b"\3\1\0\2\0\3\0\0\x3f\0"),
            _scan(blocks),
            b"\xff\xd9",  # end of image
        )
    )


def _segment(marker: int, content: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content


_DC_COUNTS = bytes((0, 1, 5, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0))  # T.81 table K.3
_DC_CODES = ("00", "010", "011", "100", "101", "110", "1110", "11110", "111110")


def _scan(blocks: Sequence[Sequence[Colour]]) -> bytes:
    middle: Colour = (128, 128, 128)
    colours = [middle, *chain.from_iterable(blocks)]
    stream = "".join(map(_block, colours, colours[1:]))
    stream += "1" * (-len(stream) % 8)
    return int(stream, 2).to_bytes(len(stream) // 8, "big").replace(b"\xff", b"\xff\0")


@lru_cache(256)
def _block(before: Colour, colour: Colour) -> str:
    """The bits of a block behind one of another colour: only the differences are written."""
    pairs = zip(_luminance_and_chrominance(colour), _luminance_and_chrominance(before), strict=True)
    return "".join(f"{_difference(here - there)}0" for here, there in pairs)


def _difference(value: int) -> str:
    """The code of the size of `value`, then its bits (T.81 F.1.2.1)."""
    size = abs(value).bit_length()
    if not size:
        return _DC_CODES[0]
    return _DC_CODES[size] + f"{value if value > 0 else value + (1 << size) - 1:0{size}b}"


def _luminance_and_chrominance(colour: Colour) -> tuple[int, int, int]:
    """JFIF's Y, Cb and Cr, counted from the middle of their range."""
    red, green, blue = colour
    luminance = 0.299 * red + 0.587 * green + 0.114 * blue
    return (
        round(luminance) - 128,
        round((blue - luminance) / 1.772),
        round((red - luminance) / 1.402),
    )
