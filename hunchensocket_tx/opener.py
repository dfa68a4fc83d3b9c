"""The client's opening handshake on a connection: the request, the answer, and the stream that comes of it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionClosed, ConnectionDone
from twisted.internet.interfaces import (
    IDelayedCall,
    IHandshakeListener,
    IReactorTime,
    ISSLTransport,
    ITCPTransport,
)
from twisted.internet.protocol import Protocol, connectionDone
from twisted.internet.tcp import Connection
from twisted.protocols.policies import ProtocolWrapper
from twisted.python.failure import Failure
from zope.interface import implementer

from hunchensocket_tx.errors import ConnectTimeout, HandshakeFailed, HandshakeRefused, HandshakeTimeout
from hunchensocket_tx.fastest import fastest_transport
from hunchensocket_tx.lane_transport import LaneTransport
from hunchensocket_tx.settings import Settings
from hunchensocket_tx.stream import WebSocketStream
from hunchensocket_tx.wire.answer import Answer, AnswerReader
from hunchensocket_tx.wire.events import CloseReason
from hunchensocket_tx.wire.opening import ClientHandshake

__all__ = ["Opener"]

SWITCHING = (101,)
"""The status behind whose head the frames begin."""


@implementer(IHandshakeListener)
class Opener(Protocol):
    """Opens a WebSocket on a connection that was just made, and hands the connection to its stream.

    :param handshake: what to send, and the judge of what comes back.
    :param settings: limits and timers.
    :param clock: where timers run.
    :param secure: whether to wait for TLS to be established before anything else.
    :param deadline: when that has to be, in the clock's seconds.
    :param attach: called with the stream and a function, which it has to have called, with nothing, when the
        stream is open and its handler has been told.

    :ivar opened: a Deferred of the stream. It fails with what ended the connection before: one of this package's
        exceptions, or what Twisted or TLS says. Cancelling it drops the connection.
    """

    def __init__(
        self,
        handshake: ClientHandshake,
        settings: Settings,
        clock: IReactorTime,
        *,
        secure: bool,
        deadline: float,
        attach: Callable[[WebSocketStream, Callable[[], None]], None],
    ) -> None:
        self.opened: Deferred[WebSocketStream] = Deferred(self._cancelled)
        self._handshake = handshake
        self._settings = settings
        self._clock = clock
        self._secure = secure
        self._deadline = deadline
        self._attach = attach
        self._reader = AnswerReader(SWITCHING)
        self._timer: IDelayedCall | None = None
        self._stream: WebSocketStream | None = None
        self._asked = False  # whether the request is sent
        self._connector: Any = None

    # What the transport calls

    def connectionMade(self) -> None:
        """Have small packets sent at once; send the request, unless TLS comes first."""
        if ITCPTransport.providedBy(self.transport):
            self._transport.setTcpNoDelay(True)
        if self._secure and ISSLTransport.providedBy(self.transport):
            error = ConnectTimeout(
                f"TLS was not established within {self._settings.connect_timeout:g} seconds: is this a TLS port? "
                "Else give it more time (connect_timeout=...)"
            )
            self._wait(max(0.0, self._deadline - self._clock.seconds()), error)
        else:
            self._send_request()

    def handshakeCompleted(self) -> None:
        """Send the request, as TLS is established (IHandshakeListener)."""
        if self._stream is None and not self.opened.called:
            self._send_request()

    def dataReceived(self, data: bytes) -> None:
        """Take what arrived of the server's answer."""
        if self.opened.called:
            return  # it is given up, or over
        try:
            answer = self._reader.receive(data)
            if answer is not None:
                self._hand_over(answer)
        except HandshakeFailed as error:
            self._fail(Failure(error))

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Fail, if there is no WebSocket yet."""
        if self.opened.called:
            return
        if self._asked and reason.check(ConnectionClosed):
            try:
                self._handshake.check(self._reader.end())
            except HandshakeFailed as error:
                reason = Failure(error)
        self._fail(reason)

    # What the stream calls

    def stream_ended(self, stream: WebSocketStream, end: CloseReason) -> None:
        """Tell who made the connection that it is gone; fail, if it has not come to be open."""
        connector, self._connector = self._connector, None
        if connector is not None:
            connector.connectionLost(Failure(ConnectionDone()))
        if not self.opened.called:
            self._fail(Failure(HandshakeFailed(f"the opening handshake failed: {end.reason or end.code}")))
        # Who made the connection knows us in a circle; the stream is to be freed without the collector.
        self._stream = None
        del self.dataReceived, self.connectionLost

    def _send_request(self) -> None:
        self._asked = True
        seconds = self._settings.handshake_timeout
        self._wait(
            seconds,
            HandshakeTimeout(
                f"the server did not complete the opening handshake within {seconds:g} seconds: it may be busy, "
                "or speak no WebSocket there (handshake_timeout=... gives it more time)"
            ),
        )
        self._transport.write(self._handshake.request)

    def _hand_over(self, answer: Answer) -> None:
        """Make a stream of the connection, if the server agrees."""
        agreement = self._handshake.check(answer)
        stream = self._stream = WebSocketStream(
            agreement.codec,
            self._settings,
            self._clock,
            subprotocol=agreement.subprotocol,
            extensions=agreement.extensions,
            secure=self._secure,
        )
        stream.answer = answer
        stream.owner = self
        self._attach(stream, self._succeed)
        transport = self._transport
        if isinstance(transport, ProtocolWrapper):
            transport.wrappedProtocol = stream
        elif isinstance(transport, Connection) or getattr(transport, "protocol", None) is self:
            transport.protocol = stream
            self._connector = getattr(transport, "connector", None)
        # A transport of another kind goes on calling us; so may a caller that is in the midst of it.
        self.dataReceived = stream.dataReceived  # type: ignore[method-assign]
        self.connectionLost = stream.connectionLost  # type: ignore[method-assign]
        fastest = fastest_transport(transport, stream, lane=self._settings.fast_lane)
        if not isinstance(fastest, LaneTransport):
            self._connector = None  # it is told by the transport, which is left only for the lane
        rest, self._reader.rest = self._reader.rest, b""
        stream.makeConnection(fastest)
        stream.dataReceived(rest)

    def _succeed(self) -> None:
        self._stop_waiting()
        assert self._stream is not None
        if not self.opened.called:
            self.opened.callback(self._stream)

    def _fail(self, reason: Failure) -> None:
        self._stop_waiting()
        if not self.opened.called:
            self._drop()
            self.opened.errback(reason)

    def _cancelled(self, opened: Deferred[WebSocketStream]) -> None:
        self._stop_waiting()
        self._drop()

    def _drop(self) -> None:
        if self._stream is not None:
            self._stream.abort()
        elif self.transport is not None:
            self._transport.abortConnection()

    def _wait(self, seconds: float, error: Exception) -> None:
        self._stop_waiting()
        self._timer = self._clock.callLater(seconds, partial(self._time_is_over, error))

    def _time_is_over(self, error: Exception) -> None:
        """Fail; with what the server has said, if it only never came to the end of that."""
        try:
            if self._asked and self._stream is None:
                self._handshake.check(self._reader.end())
        except HandshakeRefused as refusal:
            error = refusal
        except HandshakeFailed:
            pass  # it has said nothing of use
        self._fail(Failure(error))

    def _stop_waiting(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None and timer.active():
            timer.cancel()

    @property
    def _transport(self) -> Any:
        return self.transport
