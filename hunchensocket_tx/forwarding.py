"""Bridges from WebSockets to TCP and unix sockets: VNC, MQTT, telnet in a browser."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from inspect import iscoroutine
from math import inf
from typing import Any

from twisted.internet import error as twisted_errors
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.defer import TimeoutError as DeferredTimeout
from twisted.internet.endpoints import HostnameEndpoint, UNIXClientEndpoint, clientFromString, connectProtocol
from twisted.internet.interfaces import (
    IDelayedCall,
    IHalfCloseableProtocol,
    IPushProducer,
    IStreamClientEndpoint,
    ITCPTransport,
)
from twisted.internet.protocol import Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.server import Request
from zope.interface import implementer

from hunchensocket_tx.adapters import StreamTransport
from hunchensocket_tx.cascade import Accept, Dispatcher, HandshakeHandler, MessageHandler, Reject
from hunchensocket_tx.errors import InvalidSetting
from hunchensocket_tx.resource import select_subprotocol
from hunchensocket_tx.stream import WebSocketStream

__all__ = ["Resolver", "Target", "client_endpoint", "forward"]

Target = IStreamClientEndpoint | str
"""Where to connect to: an endpoint, or its description, as :func:`client_endpoint` takes it."""

Resolver = Callable[[Request], Any]
"""Takes a request; returns a target, None or Reject, or a Deferred or coroutine of these."""

BAD_GATEWAY = 1014
"""Close code of a gateway whose target is at fault, as 502 is in HTTP (IANA's registry of close codes)."""

HOST_AND_PORT = re.compile(r"(?:\[([^\]]+)\]|([^:\s]+)):(\d{1,5})")

TEXT_ONLY = (
    "hixie-76 carries text only, and this WebSocket is for bytes: offer the subprotocol base64, or use a client "
    "that speaks RFC 6455\n"
)

_log = Logger()


def client_endpoint(reactor: Any, description: str, timeout: float = 30.0) -> IStreamClientEndpoint:
    """Return what connects to a target.

    :param description: ``host:port``, ``[address]:port``, ``unix_socket:path``, or that of a Twisted client
        endpoint, such as ``unix:/run/vnc.sock`` or ``tls:host:port``.
    :param timeout: seconds for one of its addresses, if the description does not say.
    :raises ValueError: saying what is wrong with it.
    """
    if match := HOST_AND_PORT.fullmatch(description):
        port = int(match[3])
        if not 0 < port < 65536:
            raise ValueError(f"{description!r} has the port {port}: give one from 1 to 65535")
        return HostnameEndpoint(reactor, match[1] or match[2], port, timeout)
    kind, _, path = description.partition(":")
    if kind == "unix_socket" and path:
        return UNIXClientEndpoint(reactor, path, timeout)
    try:
        endpoint: IStreamClientEndpoint = clientFromString(reactor, description)
    except Exception as error:  # each kind of endpoint raises its own; all say what is wrong
        words = " ".join(str(error).split())
        raise ValueError(
            f"{description!r} is no target ({words}): give one such as localhost:5900 or unix:/run/vnc.sock"
        ) from error
    return endpoint


def forward(
    target: Target | Resolver,
    *,
    subprotocols: Iterable[str] = (),
    timeout: float = 15.0,
    reactor: Any = None,
) -> Dispatcher:
    """Make a dispatcher that bridges each WebSocket to a byte-stream service.

    Bytes travel in binary messages; as text in base64 if that subprotocol is all that the client offers, which
    hixie-76 has to, having no binary. The WebSocket is accepted first, as an HTTP answer such as 502 is hidden
    from web pages, whereas close codes and reasons are not: the target's orderly end closes it with 1000, a target
    that cannot be reached or whose connection is lost with 1014. After a clean end of the WebSocket, the target
    gets the rest and then its end; after any other, its connection is reset.

    :param target: an endpoint, its description, or a function that chooses one for a request: None leaves the
        request to the next dispatcher.
    :param subprotocols: what the target speaks, if clients insist on its name, such as ``["mqtt"]``; best first.
    :param timeout: seconds for connecting, and for the target to take the rest in the end.
    :param reactor: the global one by default.
    :raises InvalidSetting: if the description or another setting is wrong.
    """
    if reactor is None:
        from twisted.internet import reactor
    if not 0 < timeout < inf:
        raise InvalidSetting(f"timeout: give a number of seconds over 0, not {timeout!r}")
    if isinstance(subprotocols, str):
        raise InvalidSetting(f"subprotocols: give a list of strings, such as [{subprotocols!r}], not one string")
    if isinstance(target, str):
        _check_target(reactor, target)
    return _Forwarding(target, tuple(subprotocols), timeout, reactor).dispatch


def _check_target(reactor: Any, description: str) -> None:
    try:
        client_endpoint(reactor, description)
    except ValueError as error:
        raise InvalidSetting(f"target: {error}") from error


class _Forwarding:
    """What :func:`forward` was asked for, and the dispatcher."""

    def __init__(
        self, target: Target | Resolver, subprotocols: tuple[str, ...], timeout: float, reactor: Any
    ) -> None:
        self._target = target
        self._subprotocols = subprotocols
        self._timeout = timeout
        self._reactor = reactor

    async def dispatch(self, request: Request) -> Accept | Reject | None:
        """Find the request's target, and how its bytes may travel."""
        target: Any = self._target
        if not isinstance(target, str) and not IStreamClientEndpoint.providedBy(target):
            target = target(request)
            if isinstance(target, Deferred) or iscoroutine(target):
                target = await target
        if target is None or isinstance(target, Reject):
            return target
        has_binary = request.getHeader(b"sec-websocket-version") is not None
        usable = (*self._subprotocols, "binary", "base64") if has_binary else ("base64",)
        subprotocol = select_subprotocol(request, usable)
        if subprotocol is None and not has_binary:
            return Reject(400, TEXT_ONLY)
        return Accept(self._handshake(target), subprotocol)

    def _handshake(self, target: Target) -> HandshakeHandler:
        async def handshake(stream: WebSocketStream, mutex: object) -> MessageHandler | None:
            bridge = _Bridge(stream, self._reactor, self._timeout)
            try:
                await self._connect(target, bridge)
            except CancelledError:
                return None  # the WebSocket has ended meanwhile
            except Exception as error:  # each kind of endpoint fails with its own
                _log.warn("{stream}: cannot reach {target}: {error}", stream=stream, target=target, error=error)
                stream.close(BAD_GATEWAY, _why_unreachable(error))
                return None
            return bridge.client.received

        return handshake

    def _connect(self, target: Target, bridge: _Bridge) -> Deferred[Any]:
        """Connect a bridge to its target, unless its WebSocket ends before."""
        endpoint = client_endpoint(self._reactor, target, self._timeout) if isinstance(target, str) else target
        connecting: Deferred[Any] = connectProtocol(endpoint, bridge)
        connecting.addTimeout(self._timeout, self._reactor)
        bridge.stream.when_closed().addCallback(lambda _: connecting.cancel())
        return connecting


def _why_unreachable(error: Exception) -> str:
    """Return why a target cannot be reached, without its address, which is not the client's business."""
    if isinstance(error, twisted_errors.ConnectionRefusedError):
        return "the target refuses connections"
    if isinstance(error, (twisted_errors.TimeoutError, twisted_errors.TCPTimedOutError, DeferredTimeout)):
        return "the target did not answer in time"
    if isinstance(error, (twisted_errors.DNSLookupError, twisted_errors.UnknownHostError)):
        return "the target's name is not known"
    return "the target cannot be reached"


@implementer(IHalfCloseableProtocol)
class _Bridge(Protocol):
    """The protocol of a connection to a target: what that sends goes to a WebSocket, and the other way round.

    :param stream: the WebSocket, which is open.
    :param clock: for the timer.
    :param patience: seconds that the target has to take the rest when the WebSocket has ended.

    :ivar client: the WebSocket as a transport of bytes, once the target is connected.
    """

    transport: Any

    def __init__(self, stream: WebSocketStream, clock: Any, patience: float) -> None:
        self.stream = stream
        self.client = StreamTransport(stream, _Client(self))
        self._clock = clock
        self._patience = patience
        self._lost = False
        self._timer: IDelayedCall | None = None

    def connectionMade(self) -> None:
        """Have small packets sent at once, and read at each end as fast as the other one takes it."""
        if ITCPTransport.providedBy(self.transport):
            self.transport.setTcpNoDelay(True)
            self.transport.setTcpKeepAlive(True)  # a target that has vanished would hold its WebSocket for ever
        self.client.start()
        self.stream.registerProducer(_Reading(self.transport), True)
        self.transport.registerProducer(_Reading(self.stream), True)

    def dataReceived(self, data: bytes) -> None:
        """Pass on what the target sends."""
        self.client.write(data)

    def readConnectionLost(self) -> None:
        """The target has nothing more to say, and a WebSocket cannot be half-closed."""
        self.stream.close(1000)

    def writeConnectionLost(self) -> None:
        """Our side is closed, which happens in the end only."""

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The target has gone."""
        self._lost = True
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        if reason.check(twisted_errors.ConnectionDone):
            self.stream.close(1000)
        elif self.stream.is_open:
            _log.info("{stream}: its target was lost: {error}", stream=self.stream, error=reason.value)
            self.stream.close(BAD_GATEWAY, "the connection to the target was lost")

    def client_lost(self, reason: Failure) -> None:
        """The WebSocket has ended: let the target have the rest, but not for ever, if all was well."""
        if self._lost:
            return
        self.transport.unregisterProducer()
        if reason.check(twisted_errors.ConnectionDone):
            self._timer = self._clock.callLater(self._patience, self.transport.abortConnection)
            self.transport.loseConnection()
        else:
            self.transport.abortConnection()


class _Client(Protocol):
    """The protocol of the client's end of a bridge: a WebSocket, as a transport of bytes."""

    def __init__(self, bridge: _Bridge) -> None:
        self._bridge = bridge

    def dataReceived(self, data: bytes) -> None:
        self._bridge.transport.write(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._bridge.client_lost(reason)


@implementer(IPushProducer)
class _Reading:
    """What is read at one end of a bridge, as the producer of what is sent at the other.

    :param source: a transport or stream that can be paused.
    """

    def __init__(self, source: Any) -> None:
        self._source = source

    def pauseProducing(self) -> None:
        self._source.pauseProducing()

    def resumeProducing(self) -> None:
        self._source.resumeProducing()

    def stopProducing(self) -> None:
        """Nothing to do: the bridge is told of ends by its protocols, which know the reason."""
