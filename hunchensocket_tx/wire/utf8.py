"""UTF-8 that fails at the first byte that is wrong."""

from __future__ import annotations

from codecs import getincrementaldecoder

__all__ = ["Utf8Decoder"]

_IncrementalDecoder = getincrementaldecoder("utf-8")


class Utf8Decoder:
    """Decodes text that comes in pieces, which may end within a character (RFC 6455 section 8.1).

    Python's incremental decoder does all of it but one thing: it takes the first two bytes of a surrogate, which
    can have no right continuation, and complains about the third.
    """

    __slots__ = ("_decoder",)

    def __init__(self) -> None:
        self._decoder = _IncrementalDecoder()

    def decode(self, piece: bytes, final: bool) -> str:
        """Return the characters that a piece completes.

        :param final: whether the text ends with it.
        :raises UnicodeDecodeError: at the first byte that cannot be part of any text, or at an end too early.
        """
        text = self._decoder.decode(piece, final)
        pending = self._decoder.getstate()[0]
        if pending[:1] == b"\xed" and pending[1:] >= b"\xa0":
            raise UnicodeDecodeError("utf-8", pending, 0, len(pending), "surrogates not allowed")
        return text
