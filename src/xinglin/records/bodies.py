"""Bodies in the database: zstd frames, made with our dictionary.

Each frame names its dictionary in its own header (RFC 8878 §3.1.1.1.3), so a body is readable for as long as that
dictionary ships, whichever one new bodies are made with; without any, frames are plain. The dictionaries are trained by
``tools/train_dictionary.py`` from HL7's CC0 examples and resources of our own making.
"""

from __future__ import annotations

import threading
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

import zstandard

if TYPE_CHECKING:
    from collections.abc import Iterable

CURRENT: Final = 40_001
"""The dictionary that new bodies are made with; numbers from 32768 are free for private use."""
DICTIONARIES: Final = {40_001: "bodies-40001.zdict"}
LEVEL: Final = 3

_local = threading.local()  # compressors and decompressors may not be shared by threads


@cache
def dictionary(number: int) -> zstandard.ZstdCompressionDict | None:
    """A shipped dictionary, None for a number that has none."""
    name = DICTIONARIES.get(number)
    path = files("xinglin.records").joinpath(name) if name else None
    if path is None or not path.is_file():
        return None
    found = zstandard.ZstdCompressionDict(path.read_bytes())
    if number == CURRENT:
        found.precompute_compress(level=LEVEL)
    return found


def _compress() -> Any:
    dict_data = dictionary(CURRENT)
    made = zstandard.ZstdCompressor(
        level=LEVEL, dict_data=dict_data, write_content_size=True, write_checksum=False, write_dict_id=True
    )
    _local.compress = made.compress
    return made.compress


def compress(body: bytes) -> bytes:
    """``body`` as one frame."""
    frame: bytes = (getattr(_local, "compress", None) or _compress())(body)
    return frame


def decompress(frame: bytes) -> bytes:
    """The body of one frame.

    >>> decompress(compress(b'{"resourceType":"Basic"}'))
    b'{"resourceType":"Basic"}'
    """
    try:
        body: bytes = _local.decompress(frame)
    except (AttributeError, zstandard.ZstdError):
        number = zstandard.get_frame_parameters(frame).dict_id
        made = zstandard.ZstdDecompressor(dict_data=dictionary(number) if number else None)
        if number == CURRENT:
            _local.decompress = made.decompress
        body = made.decompress(frame)
    return body


def compress_all(bodies: Iterable[bytes]) -> list[bytes]:
    """The frames of many bodies."""
    one = getattr(_local, "compress", None) or _compress()
    return [one(body) for body in bodies]
