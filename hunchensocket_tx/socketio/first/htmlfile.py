"""A document without end as a transport of protocol 1, for old Internet Explorers: each payload is a script."""

from __future__ import annotations

from twisted.internet.interfaces import IPushProducer
from twisted.python.failure import Failure
from twisted.web.server import Request
from zope.interface import implementer

from hunchensocket_tx.socketio.answers import is_gone
from hunchensocket_tx.socketio.first.session import FirstSession
from hunchensocket_tx.socketio.session import Outgoing
from hunchensocket_tx.socketio.wire.first import encode_payload
from hunchensocket_tx.socketio.wire.json_text import dumps

__all__ = ["HTMLFILE", "HtmlFile", "answer_document"]

HTMLFILE = "htmlfile"

HEAD = b"<html><body><script>var _ = function (msg) { parent.s._(msg, document); };</script>" + b" " * 174
"""What a document begins with; browsers look at the first 256 bytes before they run anything."""


@implementer(IPushProducer)
class HtmlFile:
    """A GET that is answered bit by bit. While the client reads too slowly, packets wait at the session."""

    __slots__ = ("_request", "_session", "is_ready")

    lasts = True
    name = HTMLFILE

    def __init__(self, request: Request, session: FirstSession) -> None:
        self._request: Request | None = request
        self._session: FirstSession | None = session
        self.is_ready = True
        begin_document(request)
        request.notifyFinish().addErrback(self._gone)
        request.registerProducer(self, True)

    @property
    def is_writable(self) -> bool:
        """Whether the client has taken what was sent."""
        return self.is_ready

    def send(self, outgoing: Outgoing) -> None:
        """Send a packet."""
        self.send_all([str(outgoing.messages[0])])

    def send_all(self, packets: list[str]) -> None:
        """Send packets in one script."""
        if self._request is not None:
            self._request.write(script(encode_payload(packets)))

    def close(self) -> None:
        """End the document."""
        request, self._request, self._session = self._request, None, None
        if request is not None and not is_gone(request):
            request.unregisterProducer()
            request.finish()

    def pauseProducing(self) -> None:
        """Send nothing for now (IPushProducer)."""
        self.is_ready = False

    def resumeProducing(self) -> None:
        """Go on sending (IPushProducer)."""
        self.is_ready = True
        if self._session is not None:
            self._session.flush()

    def stopProducing(self) -> None:
        """The connection is gone, of which the request tells as well (IPushProducer)."""

    def _gone(self, _: Failure) -> None:
        session, self._request, self._session = self._session, None, None
        if session is not None:
            session.lose(self)


def begin_document(request: Request) -> None:
    """Send what a document begins with."""
    request.setHeader(b"content-type", b"text/html; charset=UTF-8")
    request.setHeader(b"cache-control", b"no-store")
    request.setHeader(b"x-content-type-options", b"nosniff")
    request.write(HEAD)


def script(payload: str) -> bytes:
    """Return the script that gives the client a payload; nothing in it can end the script before its time, nor, as
    ``<!--`` and ``<script`` do, keep its own end from ending it."""
    text = dumps(payload).replace("/", "\\/").replace("<", "\\u003c")
    return b"<script>_(%s);</script>" % text.encode("ascii")


def answer_document(request: Request, payload: str) -> None:
    """Answer a GET with a document of one payload."""
    begin_document(request)
    request.write(script(payload))
    request.finish()
