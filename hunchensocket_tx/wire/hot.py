"""What costs most of the time: compiled where that could be built, else in Python.

``HUNCHENSOCKET_PURE``, set to anything in the environment, chooses Python.
"""

from __future__ import annotations

import os

__all__ = [
    "Parts",
    "apply_mask",
    "masked_frame",
    "message_frame",
    "payload_of",
    "take_messages",
    "take_texts",
    "text_frame",
    "why_pure",
]

why_pure = ""
"""Why the compiled part is not in use; empty if it is."""

try:
    if os.environ.get("HUNCHENSOCKET_PURE"):
        raise ImportError("HUNCHENSOCKET_PURE is set")
    from hunchensocket_tx.wire._speedups import (
        Parts,
        apply_mask,
        masked_frame,
        message_frame,
        payload_of,
        take_messages,
        take_texts,
        text_frame,
    )
except ImportError as error:
    from hunchensocket_tx.wire.pure import (
        Parts,
        apply_mask,
        masked_frame,
        message_frame,
        payload_of,
        take_messages,
        take_texts,
        text_frame,
    )

    why_pure = str(error)
