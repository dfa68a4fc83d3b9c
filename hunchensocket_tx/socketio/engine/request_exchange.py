"""Exchanges by way of twisted.web."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.web.server import Request

from hunchensocket_tx.fastest import fastest_transport
from hunchensocket_tx.socketio.answers import TEXT, answer, prepare_answer
from hunchensocket_tx.socketio.engine.exchange import Exchange
from hunchensocket_tx.socketio.engine.polling_connection import PollingConnection, PollingOwner
from hunchensocket_tx.takeover import finish, has_line_for_itself, take_over

__all__ = ["RequestExchange"]


class RequestExchange:
    """An exchange that is a request of twisted.web.

    Once it is answered, its connection is twisted.web's no longer, if it is one of HTTP/1.1: the client will go on
    to poll on it, for which a :class:`PollingConnection` takes a fraction of the time and memory.

    :param owner: whose client it is of.
    """

    __slots__ = ("_owner", "_request", "index")

    def __init__(self, request: Request, owner: PollingOwner, index: str | None) -> None:
        self._request = request
        self._owner = owner
        self.index = index

    def when_lost(self, lost: Callable[[Exchange], None]) -> None:
        """Have a function called if the client leaves before it is answered (Exchange)."""
        self._request.notifyFinish().addErrback(lambda _: lost(self))

    def answer(self, body: bytes, content_type: bytes = TEXT, status: int = 200) -> None:
        """Answer it (Exchange)."""
        request = self._request
        if self.index is not None:  # scripts that repeat the query were once taken for an attack
            request.setHeader(b"x-xss-protection", b"0")
        if status == 200 and self._owner.settings.lean_polling and has_line_for_itself(request):
            self._answer_and_keep(body, content_type)
        else:
            answer(request, body, content_type, status)

    def _answer_and_keep(self, body: bytes, content_type: bytes) -> None:
        request: Any = self._request
        channel = request.channel
        connection = PollingConnection(self._owner, request)
        take_over(request, connection)
        before, lane = channel.transport, self._owner.limits.fast_lane
        transport = channel.transport = fastest_transport(before, connection, lane=lane)
        prepare_answer(request, body, content_type)
        request.write(body)
        channel.transport = before  # who has called it may look at it once more
        connection.makeConnection(transport)
        finish(request, len(body), None)
