"""An exchange: a request that polls, or brings packets, and its answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from hunchensocket_tx.socketio.answers import TEXT

__all__ = ["Exchange"]


class Exchange(Protocol):
    """What polling asks of a request, by whichever way it came.

    :ivar index: of the function that the answer is to call (JSONP), or None.
    """

    index: str | None

    def when_lost(self, lost: Callable[[Exchange], None]) -> None:
        """Have a function called if the client leaves before it is answered."""

    def answer(self, body: bytes, content_type: bytes = TEXT, status: int = 200) -> None:
        """Answer it; nothing happens if the client is gone."""
