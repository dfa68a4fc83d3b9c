"""Whether the compiled part is in use, which makes all versions of the protocol several times as fast.

It is built at installation if there is a C compiler with Python's headers (Debian: ``gcc python3-dev``). Without
it all works the same. ``HUNCHENSOCKET_PURE``, set to anything in the environment, turns it off.
"""

from __future__ import annotations

from hunchensocket_tx.wire.hot import why_pure

__all__ = ["compiled", "in_use"]

compiled: bool = not why_pure
"""Whether it is in use."""

in_use: str = f"pure Python: {why_pure}" if why_pure else "compiled"
"""The same in words, with the reason if it is not."""
