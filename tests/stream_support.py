"""A WebSocketStream in memory: its transport, its clock, and the peer at the other end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, DeferredLock
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IPullProducer, IPushProducer, ITCPTransport
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import alsoProvides, implementer

from hunchensocket_tx.cascade import HandshakeHandler, run_cascade
from hunchensocket_tx.settings import Settings
from hunchensocket_tx.stream import WebSocketStream
from hunchensocket_tx.wire.hixie import HixieCodec
from tests.support import KEY3, RESPONSE, frame_76

KEY_PARTS = (829309203, 259970620)
"""What the two keys of the draft's example hide."""

CLOSING = b"\xff\x00"
"""The closing frame of hixie-76."""

LAST_FRAME = b"\xff" + CLOSING
"""The end of a text frame and the closing frame; ``CLOSING`` alone is found between two text frames as well."""


class MemoryTransport(StringTransport):
    """A transport that remembers a half-close too, and forgives pausing and resuming when it is closing."""

    producer: Any

    def __init__(self) -> None:
        StringTransport.__init__(self, lenient=True)
        alsoProvides(self, ITCPTransport)
        self.half_closed = False

    def loseWriteConnection(self) -> None:
        self.half_closed = True

    def fill(self) -> None:
        """Behave as if more were buffered than the transport likes."""
        self.producer.pauseProducing()

    def empty(self) -> None:
        """Behave as if all that was buffered had been sent."""
        self.producer.resumeProducing()

    @property
    def ended(self) -> bool:
        """Whether our side is closed, or will be once all is sent."""
        return self.half_closed or bool(self.disconnecting)

    @property
    def aborted(self) -> bool:
        return self.disconnected

    @property
    def reading(self) -> bool:
        return self.producerState == "producing"


class Peer:
    """A client in memory, connected to a stream of its own; ``open`` completes the opening handshake.

    :param handshake: the handshake handler to serve it with; by default messages are collected in ``messages``.
    :param changes: single settings.
    """

    def __init__(
        self, handshake: HandshakeHandler | None = None, *, version: int = 76, secure: bool = False, **changes: Any
    ) -> None:
        self.clock = Clock()
        self.transport = MemoryTransport()
        self.messages: list[str] = []
        settings = Settings(versions=[version], **changes)
        codec = HixieCodec(settings, version=version, key_parts=KEY_PARTS if version == 76 else None)
        self.stream = WebSocketStream(codec, settings, self.clock, secure=secure)
        run_cascade(self.stream, handshake or (lambda stream, mutex: self.messages.append))
        self.stream.makeConnection(self.transport)
        self._preamble = RESPONSE if version == 76 else b""

    def open(self, *texts: str) -> Peer:
        """Send what is left of the opening handshake, and messages in the same segment."""
        key3 = KEY3 if self.stream.version == 76 else b""
        self.send(key3 + b"".join(map(frame_76, texts)))
        return self

    def send(self, data: bytes) -> None:
        """Send bytes as one segment."""
        self.stream.dataReceived(data)

    def say(self, *texts: str) -> None:
        """Send messages as one segment."""
        self.send(b"".join(map(frame_76, texts)))

    def half_close(self) -> None:
        """Shut down this side."""
        self.stream.readConnectionLost()

    def drop(self) -> None:
        """End the connection without a word."""
        self.stream.connectionLost(Failure(ConnectionLost()))

    def finish(self) -> None:
        """Let the transport be gone in peace."""
        self.stream.connectionLost(Failure(ConnectionDone()))

    @property
    def received(self) -> bytes:
        """What came behind the opening handshake's answer."""
        data: bytes = self.transport.value()
        if not data.startswith(self._preamble):
            raise AssertionError(f"the opening handshake is not complete: {data!r}")
        return data[len(self._preamble) :]


class ClosingTestCase(SynchronousTestCase):
    """Knows how a stream ended."""

    def assert_end(self, peer: Peer, code: int, clean: bool) -> None:
        end = self.successResultOf(peer.stream.when_closed())
        self.assertEqual((end.code, end.clean), (code, clean))


class PendingHandler:
    """A handshake handler whose message handler returns a Deferred, to be fired by the test."""

    def __init__(self) -> None:
        self.started: list[str] = []
        self.pending: list[Deferred[None]] = []
        self.asked: Deferred[None] = Deferred()
        """Fires when the first message has come."""

    def __call__(self, stream: WebSocketStream, mutex: DeferredLock) -> Callable[[str], Deferred[None]]:
        def message(text: str) -> Deferred[None]:
            self.started.append(text)
            done: Deferred[None] = Deferred()
            done.addCallback(lambda _: stream.send(text.upper()))
            self.pending.append(done)
            if not self.asked.called:
                self.asked.callback(None)
            return done

        return message

    def finish(self) -> None:
        """Let the handler that began last be done; it answers."""
        self.pending[-1].callback(None)


@implementer(IPushProducer)
class PushRecorder:
    """A push producer that writes down what it is told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def pauseProducing(self) -> None:
        self.told.append("pause")

    def resumeProducing(self) -> None:
        self.told.append("resume")

    def stopProducing(self) -> None:
        self.told.append("stop")


@implementer(IPullProducer)
class PullProducer:
    """A pull producer that calls a function each time it is asked."""

    def __init__(self, produce: Callable[[], object]) -> None:
        self.produce = produce
        self.stopped = 0

    def resumeProducing(self) -> None:
        self.produce()

    def stopProducing(self) -> None:
        self.stopped += 1
