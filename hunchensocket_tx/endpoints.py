r"""WebSockets as Twisted's endpoints: any byte-stream protocol over them, reconnecting clients, descriptions.

Descriptions, for ``clientFromString`` and ``serverFromString`` and whatever takes such, begin with ``ws`` or, for
TLS, with ``wss``. A client's is the URL, or host and port; then come options. In a value, ``\`` escapes ``:``::

    ws://localhost:8080/path                        wss://www.example.com/path?room=1:subprotocol=base64
    ws:localhost:8080:path=/path                    wss:www.example.com:443:path=/path:trustRoots=ca.pem
    ws:8080:path=/echo:interface=127.0.0.1          wss:443:certificate=chain.pem:privateKey=key.pem
    ws:endpoint=unix\:/run/ws.sock:path=/x

================  =======  ====================================================================================
``host``          client   name or IP address; also without ``host=``, in front
``port``          both     80, ``wss`` 443; also without ``port=``, behind the host, or in front for servers
``path``          both     ``/``; with the query, for clients
``version``       client   13, 8, 7 or 76
``versions``      server   those to speak, with commas; ``13,8,7,76``
``subprotocol``   both     to offer or accept, with commas, best first; servers accept ``binary,base64``
``encoding``      both     how bytes travel: ``binary``, ``base64``, ``utf-8``; see :func:`protocol_handler`
``origin``        client   the page to claim to come from
``origins``       server   pages that may connect, with commas; ``*`` for all; those of this very server
``timeout``       client   seconds for the connection, with proxy and TLS; 15
``idleTimeout``   both     seconds without a byte after which it is closed, 0 for never; 300. Versions with pings
                           stay as long as these are answered: see to this with hixie-76
``proxy``         client   its URL; ``none`` for none; as the environment says
``trustRoots``    client   with TLS: a PEM file with the certificates to trust; the system's
``hostname``      client   with TLS: the name that the server's certificate has to be for; ``host``
``certificate``   both     with TLS: a PEM file with our certificate, and its chain behind it
``privateKey``    both     with TLS: a PEM file with its key; the same file
``interface``     server   the address to listen on, IPv4 or IPv6; all IPv4 ones
``endpoint``      both     another description, of what lies below (below TLS, too), in place of a port
================  =======  ====================================================================================

``ClientService`` reconnects with any of these endpoints, :class:`WebSocketClientService` with a message handler.
Both wait about two seconds after the loss of a connection, then 1.5 times as long after each attempt in vain, up
to a minute. Where many clients come back to one server at once, have them wait for a random time, as RFC 6455
section 7.2.3 asks for::

    retryPolicy=backoffPolicy(initialDelay=1, factor=2, jitter=lambda: random.uniform(0, 5))
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, get_args

from twisted.application.internet import ClientService
from twisted.internet.defer import Deferred, DeferredLock, maybeDeferred
from twisted.internet.error import NoProtocol
from twisted.internet.interfaces import (
    IAddress,
    IListeningPort,
    IProtocol,
    IProtocolFactory,
    IStreamClientEndpoint,
    IStreamServerEndpoint,
)
from twisted.internet.protocol import Factory, Protocol
from twisted.web.resource import IResource, Resource
from twisted.web.server import Request
from zope.interface import implementer

from hunchensocket_tx.adapters import Encoding, StreamTransport, protocol_handler
from hunchensocket_tx.cascade import Accept, Dispatcher, HandshakeHandler, MessageHandler
from hunchensocket_tx.client import Connecting, connect
from hunchensocket_tx.errors import InvalidSetting
from hunchensocket_tx.factory import GuardedSite
from hunchensocket_tx.resource import WebSocketResource, select_subprotocol
from hunchensocket_tx.settings import Settings
from hunchensocket_tx.stream import WebSocketStream
from hunchensocket_tx.urls import WebSocketURL

__all__ = ["WebSocketClientEndpoint", "WebSocketClientService", "WebSocketServerEndpoint"]

HIXIE = (75, 76)
"""Versions that have no binary messages."""


@implementer(IStreamClientEndpoint)
class WebSocketClientEndpoint:
    """Connects any byte-stream protocol to a server, over a WebSocket.

    :param reactor: where to connect.
    :param url: ``ws://`` or ``wss://``, as for :func:`connect`.
    :param encoding: how the bytes travel; see :func:`protocol_handler`.
    :param options: of :func:`connect`, as ``subprotocols=["base64"], tls=ClientTLS(...), connect_timeout=3``.
    :raises InvalidURL: if the URL is none of a WebSocket.
    :raises InvalidSetting: if the encoding is none, or not for that version.
    """

    def __init__(self, reactor: Any, url: str, *, encoding: Encoding | None = None, **options: Any) -> None:
        self._url = WebSocketURL.parse(url)
        _check_encoding(encoding)
        if encoding == "binary" and options.get("version") in HIXIE:
            raise InvalidSetting("encoding: hixie-76 has no binary messages; base64 is for any bytes there")
        self._encoding = encoding
        self._open: Callable[[HandshakeHandler], Connecting] = partial(
            connect, url, reactor=reactor, pieces=False, **options
        )

    def __repr__(self) -> str:
        return f"<WebSocketClientEndpoint {self._url}>"

    def connect(self, factory: IProtocolFactory) -> Deferred[IProtocol]:
        """Open a WebSocket (IStreamClientEndpoint).

        :returns: a Deferred of the protocol, once it is connected. Cancelling it gives up. It fails as that of
            :func:`connect`, with ``NoProtocol`` if the factory builds none, and with what it or the protocol
            raises.
        """
        return Deferred.fromCoroutine(self._connect(factory))

    async def _connect(self, factory: IProtocolFactory) -> IProtocol:
        made: Deferred[IProtocol] = Deferred()

        def handshake(stream: WebSocketStream, mutex: DeferredLock) -> MessageHandler | None:
            try:
                protocol, handler = self._build(factory, stream)
            except Exception as error:
                stream.close(1001 if isinstance(error, NoProtocol) else 1011, "not now")
                made.errback(error)
                return None
            made.callback(protocol)
            return handler

        factory.doStart()
        try:
            stream = await self._open(handshake)
        except Exception:
            factory.doStop()
            raise
        stream.when_closed().addCallback(lambda _: factory.doStop())
        return await made

    def _build(self, factory: IProtocolFactory, stream: WebSocketStream) -> tuple[IProtocol, MessageHandler]:
        protocol = factory.buildProtocol(stream.peer)
        if protocol is None:
            raise NoProtocol()
        return protocol, StreamTransport(stream, protocol, self._encoding).start()


@implementer(IStreamServerEndpoint)
class WebSocketServerEndpoint:
    """Serves any byte-stream protocol over WebSockets at a path, and 404 at all others.

    :param reactor: where timers run.
    :param endpoint: where to listen.
    :param path: that of the WebSockets.
    :param encoding: how the bytes travel; by default as the subprotocol says, see :func:`protocol_handler`.
    :param subprotocols: to accept if offered, best first.
    :param settings: limits, timers, origins, versions; the defaults are safe.
    :param changes: single settings, as ``origins="*"``.
    :raises InvalidSetting: if the path is none, or the encoding.
    """

    def __init__(
        self,
        reactor: Any,
        endpoint: IStreamServerEndpoint,
        path: str = "/",
        *,
        encoding: Encoding | None = None,
        subprotocols: Sequence[str] = ("binary", "base64"),
        settings: Settings | None = None,
        **changes: Any,
    ) -> None:
        _check_encoding(encoding)
        if not path.startswith("/") or "?" in path or "#" in path:
            raise InvalidSetting(f"path: give one that starts with /, without ? and #, not {path!r}")
        self._reactor = reactor
        self._endpoint = endpoint
        self._path = WebSocketURL.parse(f"ws://localhost{path}").target.encode()
        self._encoding = encoding
        contrary = set(get_args(Encoding)) - {encoding} if encoding is not None else ()
        self._subprotocols = [name for name in subprotocols if name not in contrary]
        self._settings = replace(settings or Settings(), **changes)
        if encoding == "binary":
            versions = [version for version in self._settings.versions if version not in HIXIE]
            self._settings = replace(self._settings, versions=versions)

    def __repr__(self) -> str:
        return f"<WebSocketServerEndpoint {self._path.decode()} on {self._endpoint!r}>"

    def listen(self, factory: IProtocolFactory) -> Deferred[IListeningPort]:
        """Listen (IStreamServerEndpoint).

        :returns: a Deferred of the port, whose ``stopListening`` closes all WebSockets with 1001, too. It fails as
            that of the endpoint below.
        """
        handler = protocol_handler(factory, self._encoding)

        def dispatch(request: Request) -> Accept:
            return Accept(handler, subprotocol=select_subprotocol(request, self._subprotocols))

        site = _PathSite(factory, self._path, dispatch, self._settings, self._reactor)
        return self._endpoint.listen(site).addCallback(_WebSocketPort, site.websockets)


def _check_encoding(encoding: str | None) -> None:
    if encoding is not None and encoding not in get_args(Encoding):
        raise InvalidSetting(f"encoding: give {', '.join(get_args(Encoding))}, or leave it out, not {encoding!r}")


class _PathSite(GuardedSite):
    """A site with nothing but WebSockets at one path, for the protocols of another factory."""

    noisy = False

    def __init__(
        self, inner: IProtocolFactory, path: bytes, dispatcher: Dispatcher, settings: Settings, reactor: Any
    ) -> None:
        super().__init__(Resource(), settings, reactor)
        self.websockets = WebSocketResource(dispatcher, settings=settings, reactor=reactor)
        self._inner = inner
        self._path = path

    def startFactory(self) -> None:
        super().startFactory()
        self._inner.doStart()

    def stopFactory(self) -> None:
        self._inner.doStop()
        super().stopFactory()

    def getResourceFor(self, request: Request) -> IResource:
        other = super().getResourceFor(request)
        return self.websockets if request.path == self._path else other


@implementer(IListeningPort)
class _WebSocketPort:
    """A listening port that closes its WebSockets in the end."""

    def __init__(self, port: IListeningPort, websockets: WebSocketResource) -> None:
        self._port = port
        self._websockets = websockets

    def startListening(self) -> None:
        self._websockets.start()
        self._port.startListening()

    def stopListening(self) -> Deferred[Any]:
        stopped = maybeDeferred(self._port.stopListening)
        return stopped.addCallback(lambda _: self._websockets.stop())

    def getHost(self) -> IAddress:
        host: IAddress = self._port.getHost()
        return host


class WebSocketClientService(ClientService):
    """A service that keeps one WebSocket open: when it is lost, it connects again, later after each failure.

    ::

        WebSocketClientService("wss://www.example.com/feed", handler).setServiceParent(application)

    :param url: as for :func:`connect`.
    :param handler: a handshake handler or :func:`conversation`, called anew for each WebSocket.
    :param retry_policy: seconds to wait, by the number of attempts in vain; Twisted's ``backoffPolicy()`` by
        default.
    :param clock: where that waiting runs; the reactor by default.
    :param reactor: the global one by default.
    :param options: others of :func:`connect`.
    :raises InvalidURL: if the URL is none of a WebSocket.
    """

    def __init__(
        self,
        url: str,
        handler: HandshakeHandler,
        *,
        retry_policy: Callable[[int], float] | None = None,
        clock: Any = None,
        reactor: Any = None,
        **options: Any,
    ) -> None:
        endpoint = _HandlerEndpoint(
            WebSocketURL.parse(url), partial(connect, url, handler, reactor=reactor, **options)
        )
        super().__init__(endpoint, Factory.forProtocol(Protocol), retry_policy, clock or reactor)

    def when_open(self, fail_after: int | None = None) -> Deferred[WebSocketStream]:
        """Return a Deferred of the stream, once it is open, now if it is.

        :param fail_after: so many attempts in vain make it fail with the last one's error; None for never. If the
            service is stopped, it fails with ``CancelledError``.
        """
        return self.whenConnected(fail_after).addCallback(_stream_of)


def _stream_of(protocol: Any) -> WebSocketStream:
    stream: WebSocketStream = protocol.transport.stream
    return stream


@implementer(IStreamClientEndpoint)
class _HandlerEndpoint:
    """Opens WebSockets with a handler, for a protocol that is told of their beginning and end only."""

    def __init__(self, url: WebSocketURL, open_one: Callable[[], Connecting]) -> None:
        self._url = url
        self._open = open_one

    def __repr__(self) -> str:
        return f"<WebSocket {self._url}>"

    def connect(self, factory: IProtocolFactory) -> Deferred[IProtocol]:
        return Deferred.fromCoroutine(self._connect(factory))

    async def _connect(self, factory: IProtocolFactory) -> IProtocol:
        stream = await self._open()
        protocol = factory.buildProtocol(stream.peer)
        assert protocol is not None
        StreamTransport(stream, protocol).start()
        return protocol
