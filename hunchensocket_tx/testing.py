"""For your own tests: servers, clients and their time in memory, without sockets and without a reactor.

::

    from hunchensocket_tx.testing import MemoryServer

    class ShoutTests(SynchronousTestCase):
        def test_it_shouts(self):
            server = MemoryServer(shout)                           # a dispatcher of yours
            stream = server.result(server.connect("/", version=76))
            stream.send("hello")
            self.assertEqual(server.result(stream.receive()), "HELLO")

The opening handshake, the codecs, the timers: all of it is real but TCP and the time. Both ends run on one
``twisted.internet.task.Clock``, and nothing moves but in :meth:`MemoryServer.result`, ``settle`` and ``advance``:
whatever happens happens in the same order each time, and never within a ``send``.
"""

from __future__ import annotations

from collections.abc import Coroutine
from dataclasses import replace
from inspect import iscoroutine
from typing import Any, TypeVar

from twisted.internet.defer import Deferred, DeferredLock
from twisted.internet.interfaces import IProtocolFactory, IReactorTime
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.web.resource import IResource
from twisted.web.server import Request

from hunchensocket_tx.cascade import Dispatcher, HandshakeHandler, MessageHandler
from hunchensocket_tx.client import Connecting, connect
from hunchensocket_tx.errors import MisuseError
from hunchensocket_tx.factory import WebSocketFactory
from hunchensocket_tx.settings import Settings
from hunchensocket_tx.stream import WebSocketStream
from hunchensocket_tx.testing_transport import MemoryConnection, MemoryEndpoint, MemoryTransport
from hunchensocket_tx.urls import WebSocketURL

__all__ = ["MemoryConnection", "MemoryEndpoint", "MemoryServer", "MemoryTransport", "StreamPair"]

Result = TypeVar("Result")


class MemoryServer:
    """A server in memory, and clients of it.

    :param dispatchers: asked about each request, as :class:`WebSocketFactory` does.
    :param root: a resource for what they do not take. A ``WebSocketResource`` in it has to have this server's
        clock as its ``reactor``: make that first.
    :param factory: a protocol factory, such as a ``Site`` of yours, in place of all this; with the same clock. It
        is not started: a ``Site`` writes no access log.
    :param clock: a new Clock by default. With a reactor in its place bytes move in its turns, for tests that
        await.
    :param settings: limits, timers, origins, versions of the server.
    :param changes: single settings, as ``ping_interval=5``.

    :ivar clock: the time, for both ends.
    :ivar endpoint: leads to the server; any protocol may be connected by it, such as one that breaks rules.
    """

    def __init__(
        self,
        *dispatchers: Dispatcher,
        root: IResource | None = None,
        factory: IProtocolFactory | None = None,
        clock: IReactorTime | None = None,
        settings: Settings | None = None,
        **changes: Any,
    ) -> None:
        self.clock: Any = Clock() if clock is None else clock
        if factory is None:
            factory = WebSocketFactory(*dispatchers, root=root, settings=settings, reactor=self.clock, **changes)
        elif dispatchers or root is not None or settings is not None or changes:
            raise MisuseError("factory: it has its own dispatchers, root and settings; give it alone")
        self.endpoint = MemoryEndpoint(factory, self.clock)

    def connect(self, url: str = "/", handler: HandshakeHandler | None = None, **options: Any) -> Connecting:
        """Open a WebSocket to this server, with both ends' real opening handshake.

        :param url: a path, with a query if you like; or all of it if the name matters, ``ws://www.example.com/``.
        :param handler: as for :func:`hunchensocket_tx.connect`.
        :param options: likewise: ``version``, ``subprotocols``, ``headers``, ``cookies``, settings of the client.
        :returns: likewise; :meth:`result` has it open, or raises what is in its way.
        :raises MisuseError: for ``wss``, as there is no TLS in memory.
        """
        url = f"ws://localhost{url}" if url.startswith("/") else url
        if WebSocketURL.parse(url).secure:
            raise MisuseError("there is no TLS in memory: the URL begins with ws:")
        return connect(url, handler, endpoint=self.endpoint, reactor=self.clock, **options)

    def result(self, awaited: Deferred[Result] | Coroutine[Any, Any, Result]) -> Result:
        """Let everything arrive that is on its way, and return what a Deferred or coroutine has come to.

        :raises Exception: what it has failed with.
        :raises AssertionError: if it has come to nothing yet. It may be asked for again.
        """
        deferred = Deferred.fromCoroutine(awaited) if iscoroutine(awaited) else awaited
        results: list[Any] = []
        waiting = True

        def take(result: Any) -> Any:
            if not waiting:
                return result
            results.append(result)
            return None if isinstance(result, Failure) else result

        assert isinstance(deferred, Deferred)
        deferred.addBoth(take)
        self.settle()
        waiting = False
        if not results:
            raise AssertionError(
                f"nothing came of {awaited!r}, and nothing is on its way: who should send, or how much time "
                "should pass (advance)?"
            )
        if isinstance(results[0], Failure):
            results[0].raiseException()
        result: Result = results[0]
        return result

    def settle(self) -> None:
        """Let everything arrive that is on its way, and what is sent in answer; no time passes.

        :raises MisuseError: if there is a reactor in the clock's place, which has its own turns.
        """
        if not isinstance(self.clock, Clock):
            raise MisuseError("the reactor's time cannot be set going: await what you wait for")
        self.clock.advance(0)

    def advance(self, seconds: float) -> None:
        """Let time pass at both ends, from one timer to the next; what is sent meanwhile arrives at once.

        ``clock.advance`` jumps: all timers that are due are called with the clock at its new time.

        :raises MisuseError: as :meth:`settle`.
        """
        self.settle()
        end = self.clock.seconds() + seconds
        while (due := min((call.getTime() for call in self.clock.getDelayedCalls()), default=end)) < end:
            self.clock.advance(max(0, due - self.clock.seconds()))
        self.clock.advance(max(0, end - self.clock.seconds()))

    @property
    def connections(self) -> list[MemoryConnection]:
        """All that were made, in order."""
        return self.endpoint.connections

    @property
    def streams(self) -> list[WebSocketStream]:
        """The server's ends of the WebSockets that are there, also if not quite open or closed, in order."""
        streams = [_stream_of(connection.server) for connection in self.connections if connection.server.connected]
        return [stream for stream in streams if stream is not None]

    def connection(self, stream: WebSocketStream) -> MemoryConnection:
        """Return the connection under a stream of either end, to hold back what is sent, or to cut it.

        :raises MisuseError: if it is another server's.
        """
        for connection in self.connections:
            if stream in (_stream_of(connection.client), _stream_of(connection.server)):
                return connection
        raise MisuseError(f"{stream} is not connected to or by this server")


class StreamPair(MemoryServer):
    """Both ends of an open WebSocket, for code of yours that is given a stream.

    Messages are taken by ``receive`` or ``async for`` at either end.

    :param version: of the protocol: 13, 8, 7 or 76.
    :param clock: a new one by default.
    :param settings: of both ends.
    :param changes: single settings, likewise.

    :ivar client: the client's end.
    :ivar server: the server's end.
    """

    def __init__(
        self,
        *,
        version: int = 13,
        clock: Clock | None = None,
        settings: Settings | None = None,
        **changes: Any,
    ) -> None:
        settings = replace(settings or Settings(), **changes)
        super().__init__(_take_any, clock=clock, settings=settings)
        self.client = self.result(self.connect(version=version, settings=settings))
        (self.server,) = self.streams


def _take_any(request: Request) -> HandshakeHandler:
    """Accept a request, and keep its messages for who asks (a dispatcher)."""

    def handshake(stream: WebSocketStream, mutex: DeferredLock) -> MessageHandler:
        return stream.into_inbox()

    return handshake


def _stream_of(end: MemoryTransport) -> WebSocketStream | None:
    """Return the stream that reads at an end, behind wrappers if there are any."""
    protocol = end.protocol
    while hasattr(protocol, "wrappedProtocol"):
        protocol = protocol.wrappedProtocol
    return protocol if isinstance(protocol, WebSocketStream) else None
