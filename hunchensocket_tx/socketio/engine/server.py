"""EngineServer: all sessions of Engine.IO 3 and 4 of a resource, and who may have one."""

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
from hunchensocket_tx.socketio.answers import (
    BAD_METHOD,
    BAD_REQUEST,
    BUSY,
    FORBIDDEN,
    INTERNAL_ERROR,
    TOO_LARGE,
    UNKNOWN_SESSION,
    UNKNOWN_TRANSPORT,
    UNSUPPORTED_PROTOCOL,
    RequestError,
    answer_error,
    is_gone,
    read_body,
    reject,
)
from hunchensocket_tx.socketio.cors import admit_page, answer_preflight, judge_script
from hunchensocket_tx.socketio.engine.polling import PollingTransport
from hunchensocket_tx.socketio.engine.request_exchange import RequestExchange
from hunchensocket_tx.socketio.engine.session import EngineSession, Transport
from hunchensocket_tx.socketio.engine.upgrade import Probe
from hunchensocket_tx.socketio.engine.websocket import WebSocketTransport
from hunchensocket_tx.socketio.errors import PayloadError
from hunchensocket_tx.socketio.handshake import Handshake
from hunchensocket_tx.socketio.permission import ask_permission
from hunchensocket_tx.socketio.session import SessionOpened
from hunchensocket_tx.socketio.session_server import SessionServer
from hunchensocket_tx.socketio.settings import SocketIOSettings
from hunchensocket_tx.socketio.wire.engine import codec
from hunchensocket_tx.stream import WebSocketStream

__all__ = ["EngineServer"]

PROTOCOLS = {"2": 3, "3": 3, "4": 4}
"""What clients say, and what it means: the first ones of 1.x said 2, and meant 3."""

SID_SIZE = 15
"""Random bytes of a session's id."""

FIRST_PACKET_DELAY = 1 / 1024
"""Seconds between the opening of a WebSocket and its first packet. Clients that begin to listen when they know
that it is open, as those of the protocols' test suites, lose what comes in one segment with that."""


class EngineServer(SessionServer[EngineSession]):
    """Serves clients of Engine.IO 3 and 4, over HTTP and over WebSockets.

    :ivar upgrades: whether clients on polling may go over to a WebSocket.
    """

    _log = Logger()

    def __init__(
        self, settings: SocketIOSettings, limits: Settings, clock: IReactorTime, opened: SessionOpened
    ) -> None:
        super().__init__(settings, limits, clock, opened)
        self.upgrades = settings.allow_upgrades and "websocket" in settings.transports

    # HTTP

    def render(self, request: Request) -> Any:
        """Answer a request that asks for no WebSocket (as a resource does)."""
        refusal = admit_page(request, self.settings, self.limits)
        if refusal is not None:
            code = FORBIDDEN.code if refusal.status == 403 else BAD_REQUEST.code
            answer_error(request, RequestError(code, refusal.reason, refusal.status))
        elif request.method == b"OPTIONS":
            return answer_preflight(request)
        else:
            error = self._serve(request)
            if error is not None:
                answer_error(request, error)
        return NOT_DONE_YET

    def _serve(self, request: Request) -> RequestError | None:
        """Give a request to its session, or begin one; return why not, if it cannot be."""
        transport = _parameter(request, b"transport")
        if transport is None or transport not in self.settings.transports:
            return UNKNOWN_TRANSPORT
        error = self._judge_script(request)
        if error is not None:
            return error
        sid = _parameter(request, b"sid")
        if sid is None:
            return self._handshake(request, transport)
        session = self._find(sid)
        if session is None:
            return UNKNOWN_SESSION
        polling = session.transport
        if transport != polling.name or not isinstance(polling, PollingTransport):
            return BAD_REQUEST
        exchange = RequestExchange(request, self, script_index(request))
        if request.method == b"GET":
            polling.poll(exchange)
        elif request.method == b"POST":
            body = read_body(request, self.settings.max_http_buffer_size)
            if body is None:
                return TOO_LARGE
            polling.receive(exchange, body, request.getHeader("content-type") or "")
        else:
            return BAD_REQUEST
        return None

    def polling_of(self, sid: str) -> PollingTransport | None:
        """Return the polling of a session, if it is in use."""
        session = self._find(sid)
        transport = session.transport if session is not None else None
        return transport if isinstance(transport, PollingTransport) else None

    def _find(self, sid: str) -> EngineSession | None:
        """Return a session by its id, unless its client has given no sign of life in time."""
        session = self.sessions.get(sid)
        if session is not None and session.is_late:
            session.lose("ping timeout")
            return None
        return session

    def _judge_script(self, request: Request) -> RequestError | None:
        try:
            if script_index(request) is None:
                return None
        except PayloadError:
            return BAD_REQUEST
        if not self.settings.jsonp:
            return BAD_REQUEST
        refusal = judge_script(request, self.limits)
        return None if refusal is None else RequestError(FORBIDDEN.code, refusal.reason, refusal.status)

    def _handshake(self, request: Request, transport: str) -> RequestError | None:
        """Begin a session on polling, at once or when the application has thought about it."""
        if request.method != b"GET":
            return BAD_METHOD
        if transport != PollingTransport.name:
            return BAD_REQUEST  # a WebSocket, and no request for one
        protocol = self._judge_handshake(request)
        if isinstance(protocol, RequestError):
            return protocol
        permission = self.ask(request)
        permission.addCallback(self._open_polling, request, protocol)
        permission.addErrback(self._handshake_failed, request)
        return None

    def _open_polling(self, refused: str | None, request: Request, protocol: int) -> None:
        """Begin a session on polling, if it was not refused, and there is still somebody to have it."""
        if is_gone(request):
            return
        error = _refusal(refused) or self._judge_number()
        if error is not None:
            answer_error(request, error)
            return
        sid = token_urlsafe(SID_SIZE)
        for name, value in self._cookies(sid):
            request.responseHeaders.addRawHeader(name.encode(), value.encode())
        session = self._new_session(sid, protocol, Handshake.of(request, time()), binary=_takes_binary(request))
        transport = PollingTransport(session)
        self._begin(session, transport)
        if sid in self.sessions:
            transport.poll(RequestExchange(request, self, script_index(request)))
        else:  # it is over, and nothing can be said of that any more: too much was to be sent at once
            answer_error(request, INTERNAL_ERROR)

    def _handshake_failed(self, failure: Failure, request: Request) -> None:
        if failure.check(CancelledError):
            answer_error(request, BUSY)
            return
        self._log.failure("a session could not be opened for {uri}", failure, uri=request.uri)
        answer_error(request, INTERNAL_ERROR)

    # WebSockets

    def dispatch(self, request: Request) -> Accept | Reject | Deferred[Accept | Reject]:
        """Take a request for a WebSocket, or refuse it (as a dispatcher does)."""
        transport = _parameter(request, b"transport")
        if transport is None or transport not in self.settings.transports:
            return reject(UNKNOWN_TRANSPORT)
        if transport != WebSocketTransport.name:
            return reject(BAD_REQUEST)
        sid = _parameter(request, b"sid")
        if sid is not None:
            return self._dispatch_probe(request, sid)
        protocol = self._judge_handshake(request)
        if isinstance(protocol, RequestError):
            return reject(protocol)
        if self.settings.allow_request is None:
            return self._accept(None, request, protocol)
        return ask_permission(self.settings, request).addCallback(self._accept, request, protocol)

    def _accept(self, refused: str | None, request: Request, protocol: int) -> Accept | Reject:
        error = _refusal(refused) or self._judge_number()
        if error is not None:
            return reject(error)
        sid = token_urlsafe(SID_SIZE)
        opened = partial(
            self._open_websocket, sid, protocol, Handshake.of(request, time()), _takes_binary(request)
        )
        return Accept(opened, headers=self._cookies(sid))

    def _open_websocket(
        self,
        sid: str,
        protocol: int,
        handshake: Handshake,
        binary: bool,
        stream: WebSocketStream,
        mutex: DeferredLock,
    ) -> Deferred[MessageHandler | None]:
        """Begin a session on a WebSocket (as a handshake handler does)."""
        begin = partial(self._begin_websocket, sid, protocol, handshake, binary, stream)
        waited: Deferred[None] = Deferred()
        self.clock.callLater(FIRST_PACKET_DELAY, partial(waited.callback, None))
        return waited.addCallback(lambda _: begin())

    def _begin_websocket(
        self, sid: str, protocol: int, handshake: Handshake, binary: bool, stream: WebSocketStream
    ) -> MessageHandler | None:
        if self._judge_number() is not None:  # others have come while its opening handshake was not complete
            stream.close(1013, BUSY.message)
        if not stream.is_open:
            return None
        session = self._new_session(sid, protocol, handshake, binary=binary)
        transport = WebSocketTransport(session, stream, binary=binary)
        self._begin(session, transport)
        return transport.received

    def _dispatch_probe(self, request: Request, sid: str) -> Accept | Reject:
        """Let a session on polling try a WebSocket."""
        session = self._find(sid)
        if session is None:
            return reject(UNKNOWN_SESSION)
        if not self.upgrades:
            return reject(BAD_REQUEST)
        return Accept(partial(self._open_probe, session, _takes_binary(request)))

    def _open_probe(
        self, session: EngineSession, binary: bool, stream: WebSocketStream, mutex: DeferredLock
    ) -> MessageHandler | None:
        polling = session.transport
        if not isinstance(polling, PollingTransport) or session.probe is not None or not session.is_open:
            stream.close()  # it has one already
            return None
        transport = WebSocketTransport(session, stream, binary=binary)
        Probe(session, polling, transport)
        return transport.received

    # What both have in common

    def _new_session(self, sid: str, protocol: int, handshake: Handshake, *, binary: bool) -> EngineSession:
        session = self.sessions[sid] = EngineSession(self, sid, codec(protocol), handshake, binary=binary)
        return session

    def _begin(self, session: EngineSession, transport: Transport) -> None:
        try:
            session.begin(transport, self.opened)
        except Exception:
            session.lose("forced server close")
            raise

    def _judge_handshake(self, request: Request) -> int | RequestError:
        """Return the protocol that a new client speaks, or why it cannot have a session."""
        protocol = PROTOCOLS.get(_parameter(request, b"EIO") or "")
        if protocol is None or protocol not in self.settings.protocols:
            return UNSUPPORTED_PROTOCOL
        return self._judge_number() or protocol

    def _judge_number(self) -> RequestError | None:
        return BUSY if self.is_full else None

    def _cookies(self, sid: str) -> list[tuple[str, str]]:
        """Return the header fields that hand out a cookie for a session, if that is wanted."""
        name = self.settings.cookie
        return [] if name is None else [("Set-Cookie", f"{name}={sid}; Path=/; HttpOnly; SameSite=Lax")]


INDEX_DIGITS = 16


def script_index(request: Request) -> str | None:
    """Return the number of the function that an answer is to call (JSONP), or None if it is to be plain.

    :raises PayloadError: if it is no number.
    """
    values = (request.args or {}).get(b"j")
    if values is None:
        return None
    if not values[-1].isdigit() or len(values[-1]) > INDEX_DIGITS:
        raise PayloadError("the index of a script is no number")
    return str(values[-1].decode())


def _parameter(request: Request, name: bytes) -> str | None:
    """Return a parameter of the query; None if it is missing or empty."""
    values = (request.args or {}).get(name)
    return values[-1].decode("latin-1") or None if values else None


def _takes_binary(request: Request) -> bool:
    """Whether the client has not said that it takes no binary data."""
    return b"b64" not in (request.args or {})


def _refusal(reason: str | None) -> RequestError | None:
    """Return the error that the application's refusal is."""
    return None if reason is None else RequestError(FORBIDDEN.code, reason, FORBIDDEN.status)
