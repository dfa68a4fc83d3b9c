"""XOR masking of payloads (RFC 6455 section 5.3)."""

from __future__ import annotations

import sys

__all__ = ["apply_mask"]


def apply_mask(data: bytes, key: bytes) -> bytes:
    """Return the data masked, or unmasked, which is the same.

    :param data: the payload, or a part of it; the key has to be turned to where that starts.
    :param key: four bytes.
    """
    # One XOR of two big integers is the fastest way that CPython has without compiled code.
    size = len(data)
    repeated = (key * (size // 4 + 1))[:size]
    order = sys.byteorder
    return (int.from_bytes(data, order) ^ int.from_bytes(repeated, order)).to_bytes(size, order)
