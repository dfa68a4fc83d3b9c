"""Masking keys for what clients send: each is unpredictable, and used once (RFC 6455 sections 5.3 and 10.3).

They are drawn from the system in blocks, as to ask it for four bytes costs more than to mask a small message.
"""

from __future__ import annotations

import os
from struct import Struct

__all__ = ["KEY_SIZE", "new_key"]

KEY_SIZE = 4
"""Bytes."""

_BLOCK = Struct(f"{KEY_SIZE}s" * 1024)

_pool: list[bytes] = []

if hasattr(os, "register_at_fork"):  # not on Windows, which has no fork
    os.register_at_fork(after_in_child=_pool.clear)  # else parent and child would use the same keys


def new_key() -> bytes:
    """Return four bytes from the system's source of randomness that nobody else gets; in any thread."""
    try:
        return _pool.pop()
    except IndexError:
        keys: tuple[bytes, ...] = _BLOCK.unpack(os.urandom(_BLOCK.size))
        _pool.extend(keys[1:])
        return keys[0]
