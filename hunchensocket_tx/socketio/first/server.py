"""FirstServer: all sessions of protocol 1 of a resource, and which request is for which of them."""

from __future__ import annotations

from functools import partial
from secrets import token_urlsafe
from time import time
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, DeferredLock
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.server import NOT_DONE_YET, Request

from hunchensocket_tx.cascade import Accept, MessageHandler, Reject
from hunchensocket_tx.settings import Settings
from hunchensocket_tx.socketio.answers import TEXT, answer, is_gone, read_body
from hunchensocket_tx.socketio.cors import admit_page, answer_preflight
from hunchensocket_tx.socketio.errors import PayloadError
from hunchensocket_tx.socketio.first.htmlfile import HTMLFILE, HtmlFile, answer_document
from hunchensocket_tx.socketio.first.opening import (
    BAD_ORIGIN,
    ERROR,
    UNAUTHORIZED,
    admit_script,
    answer_opening,
    describe,
    offered_transports,
    refuse_opening,
    script_index,
)
from hunchensocket_tx.socketio.first.polling import JSONP, XHR, Poll, answer_poll, payload_of
from hunchensocket_tx.socketio.first.session import FirstSession
from hunchensocket_tx.socketio.first.websocket import WebSocketTransport
from hunchensocket_tx.socketio.handshake import Handshake
from hunchensocket_tx.socketio.permission import NO_REASON
from hunchensocket_tx.socketio.session import SessionOpened
from hunchensocket_tx.socketio.session_server import SessionServer
from hunchensocket_tx.socketio.settings import SocketIOSettings
from hunchensocket_tx.socketio.wire.first import RECONNECT, UNSUPPORTED, decode_payload
from hunchensocket_tx.stream import WebSocketStream

__all__ = ["FirstServer"]


SID_SIZE = 15
"""Random bytes of a session's id."""

VERSION = "1"
WRONG_VERSION = "Protocol version not supported."
BAD_REQUEST = b"bad request"

SOCKETS = ("websocket", "flashsocket")
"""Transports that are WebSockets; Flash's is used where a page has no better one."""


class FirstServer(SessionServer[FirstSession]):
    """Serves clients of protocol 1, over HTTP and over WebSockets, at the paths below ``1/``."""

    _log = Logger()

    def __init__(
        self, settings: SocketIOSettings, limits: Settings, clock: IReactorTime, opened: SessionOpened
    ) -> None:
        super().__init__(settings, limits, clock, opened)
        self._transports = offered_transports(settings)
        self._patience: Any = None  # the timer that bounds their wait

    # HTTP

    def render(self, request: Request) -> Any:
        """Answer a request that asks for no WebSocket (as a resource does)."""
        refusal = admit_page(request, self.settings, self.limits)
        if refusal is None and request.method == b"OPTIONS":
            return answer_preflight(request)
        try:
            if refusal is not None:
                message = BAD_ORIGIN if refusal.status == 403 else refusal.reason
                refuse_opening(request, refusal.status, message, script_index(request, b"jsonp"))
            elif request.method in (b"GET", b"POST"):
                self._serve(request)
            else:
                request.setHeader(b"allow", b"GET, POST")
                answer(request, b"", TEXT, 405)
        except (PayloadError, UnicodeError) as error:
            self._log.info("{peer}: {error}", peer=request.getClientAddress(), error=error)
            answer(request, BAD_REQUEST, TEXT, 400)
        return NOT_DONE_YET

    def _serve(self, request: Request) -> None:
        """Find out what a request is for.

        :raises PayloadError: if it is not what it should be.
        """
        version, name, sid = _taken_apart(request)
        if version != VERSION:
            answer(request, WRONG_VERSION.encode(), TEXT, 500)
        elif not name and not sid:
            self._open(request)
        elif b"disconnect" in (request.args or {}):
            self._disconnect(request, sid)
        elif name not in self._transports or name in SOCKETS or not sid:
            answer(request, UNSUPPORTED.encode(), TEXT, 400)
        elif request.method == b"POST":
            self._post(request, name, self.sessions.get(sid))
        else:
            self._get(request, name, self.sessions.get(sid))

    def _get(self, request: Request, name: str, session: FirstSession | None) -> None:
        """Let a request be what a session sends with."""
        index = script_index(request, b"i", needed=True) if name == JSONP else None
        if name != XHR and not admit_script(request, self.settings, self.limits):
            answer(request, BAD_ORIGIN.encode(), TEXT, 403)
        elif session is not None:
            session.attach(HtmlFile(request, session) if name == HTMLFILE else Poll(name, request, session, index))
        elif name == HTMLFILE:
            answer_document(request, RECONNECT)
        else:
            answer_poll(request, RECONNECT, index)

    def _post(self, request: Request, name: str, session: FirstSession | None) -> None:
        """Give a session what a client has sent.

        :raises PayloadError: if it is not what it should be.
        """
        body = read_body(request, self.settings.max_http_buffer_size)
        if body is None:
            answer(request, b"too large", TEXT, 413)
        elif session is None:
            answer(request, RECONNECT.encode())
        elif session.receive_all(decode_payload(payload_of(name, body))):
            answer(request, b"1")
        else:
            answer(request, BAD_REQUEST, TEXT, 400)

    def _disconnect(self, request: Request, sid: str) -> None:
        session = self.sessions.get(sid)
        if session is not None:
            session.disconnect()
        answer(request, b"")

    # Handshakes

    def _open(self, request: Request) -> None:
        """Begin a session, when the application has thought about it."""
        index = script_index(request, b"jsonp")
        if index is not None and not admit_script(request, self.settings, self.limits):
            refuse_opening(request, 403, BAD_ORIGIN, index)
        elif self.is_full:
            refuse_opening(request, 503, ERROR, index)
        else:
            permission = self.ask(request)
            permission.addCallback(self._begin, request, index)
            permission.addErrback(self._opening_failed, request, index)

    def _begin(self, refused: str | None, request: Request, index: str | None) -> None:
        """Begin a session, if it was not refused, and there is still somebody to have it."""
        if is_gone(request):
            return
        if refused is not None:
            refuse_opening(request, 403, UNAUTHORIZED if refused == NO_REASON else refused, index)
            return
        if self.is_full:  # others have come meanwhile
            refuse_opening(request, 503, ERROR, index)
            return
        sid = token_urlsafe(SID_SIZE)
        handshake = Handshake.of(request, time())
        session = FirstSession(sid, handshake, self.settings, self.limits, self.clock, self.forget)
        self.sessions[sid] = session
        try:
            session.begin(self.opened(session))
            if self.settings.cookie is not None:
                cookie = f"{self.settings.cookie}={sid}; Path=/; HttpOnly; SameSite=Lax"
                request.responseHeaders.addRawHeader(b"set-cookie", cookie.encode())
            answer_opening(request, describe(sid, self.settings), index)
        except Exception:
            session.disconnect()
            raise

    def _opening_failed(self, failure: Failure, request: Request, index: str | None) -> None:
        if failure.check(CancelledError):
            refuse_opening(request, 503, ERROR, index)
        else:
            self._log.failure("a session could not be opened for {uri}", failure, uri=request.uri)
            refuse_opening(request, 500, ERROR, index)

    # WebSockets

    def dispatch(self, request: Request) -> Accept | Reject:
        """Take a request for a WebSocket, or refuse it (as a dispatcher does)."""
        version, name, sid = _taken_apart(request)
        if version != VERSION:
            return Reject(500, WRONG_VERSION)
        if name not in SOCKETS or SOCKETS[0] not in self._transports or not sid:
            return Reject(400, UNSUPPORTED)
        return Accept(partial(self._attach, name, sid))

    def _attach(self, name: str, sid: str, stream: WebSocketStream, mutex: DeferredLock) -> MessageHandler | None:
        """Let a session have its WebSocket, which is open by now (as a handshake handler does)."""
        session = self.sessions.get(sid)
        if session is None:
            stream.send(RECONNECT)
            stream.close()
            return None
        transport = WebSocketTransport(name, stream, session)
        session.attach(transport)
        return transport.receive

    # The end

    def close(self, reason: str) -> Deferred[None]:
        """End all sessions (SessionServer).

        :returns: as it says there; clients that do not come for it in ``closing_timeout`` are not told.
        """
        closed = super().close(reason)
        if self.sessions and self._patience is None:
            self._patience = self.clock.callLater(self.limits.closing_timeout, self._abandon)
        return closed

    def _abandon(self) -> None:
        """Wait no longer for clients to come for their last packets."""
        self._patience = None
        for session in tuple(self.sessions.values()):
            session.abandon()

    def forget(self, session: FirstSession) -> None:
        """Let a session's id be unknown, as nothing more can come of it (SessionServer)."""
        super().forget(session)
        if self._patience is not None and not self.sessions:
            self._patience.cancel()
            self._patience = None


def _taken_apart(request: Request) -> tuple[str, str, str]:
    """Return version, transport and session's id from a path; empty where they are missing."""
    version, name, sid = ([segment.decode("latin-1") for segment in request.postpath or ()] + [""] * 3)[:3]
    return version, name, sid
