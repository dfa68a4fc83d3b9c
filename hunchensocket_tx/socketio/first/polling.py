"""Requests as transports of protocol 1: a GET waits for packets, a POST brings some.

With XHR, bodies are what they are; with JSONP, answers are scripts and POSTs are forms.
"""

from __future__ import annotations

from twisted.python.failure import Failure
from twisted.web.server import Request

from hunchensocket_tx.socketio.answers import TEXT, answer
from hunchensocket_tx.socketio.first.session import FirstSession
from hunchensocket_tx.socketio.session import Outgoing
from hunchensocket_tx.socketio.wire.first import NOOP, encode_payload
from hunchensocket_tx.socketio.wire.jsonp import SCRIPT, jsonp_answer, jsonp_string_body

__all__ = ["FUNCTIONS", "JSONP", "XHR", "Poll", "answer_poll", "payload_of"]

XHR = "xhr-polling"
JSONP = "jsonp-polling"

FUNCTIONS = "io.j"
"""The list in which clients keep the functions that scripts call."""


class Poll:
    """A GET that waits for something to be sent.

    :param name: ``xhr-polling`` or ``jsonp-polling``.
    :param index: number of the function that a script is to call; None for XHR.
    """

    __slots__ = ("_index", "_request", "_session", "name")

    lasts = False
    is_ready = True
    is_writable = True

    def __init__(self, name: str, request: Request, session: FirstSession, index: str | None) -> None:
        self.name = name
        self._request: Request | None = request
        self._session: FirstSession | None = session
        self._index = index
        request.notifyFinish().addErrback(self._gone)

    def send(self, outgoing: Outgoing) -> None:
        """Answer with a packet."""
        self.send_all([str(outgoing.messages[0])])

    def send_all(self, packets: list[str]) -> None:
        """Answer with packets."""
        request, self._request, self._session = self._request, None, None
        if request is not None:
            answer_poll(request, encode_payload(packets), self._index)

    def close(self) -> None:
        """Answer, if that is not done yet: an empty answer would keep a client of JSONP waiting."""
        self.send_all([NOOP])

    def _gone(self, _: Failure) -> None:
        session, self._request, self._session = self._session, None, None
        if session is not None:
            session.lose(self)


def answer_poll(request: Request, payload: str, index: str | None) -> None:
    """Answer a GET.

    :param index: as of :class:`Poll`.
    """
    if index is None:
        answer(request, payload.encode("utf-8"), TEXT)
    else:
        request.setHeader(b"x-xss-protection", b"0")  # the filter takes it for an echo of the request
        answer(request, jsonp_answer(index, payload, FUNCTIONS), SCRIPT.encode())


def payload_of(name: str, body: bytes) -> str:
    """Return the payload that a POST brought.

    :param name: of the transport.
    :raises PayloadError: if it is a form without one.
    :raises UnicodeError: if it is not UTF-8.
    """
    if name != JSONP:
        return body.decode("utf-8")
    # A string of JSON can have half a character, which has to become what XHR would have made of it.
    return jsonp_string_body(body).encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
