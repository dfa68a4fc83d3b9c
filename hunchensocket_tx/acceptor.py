"""Acceptors: services that listen on an endpoint and serve WebSockets there, and HTTP for the rest."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

from twisted.application.service import Service
from twisted.internet.abstract import isIPv6Address
from twisted.internet.defer import CancelledError, Deferred, DeferredList
from twisted.internet.endpoints import SSL4ServerEndpoint, TCP4ServerEndpoint, TCP6ServerEndpoint
from twisted.internet.interfaces import IListeningPort, IProtocolFactory, IStreamServerEndpoint
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.resource import IResource

from hunchensocket_tx.cascade import Dispatcher
from hunchensocket_tx.errors import InvalidSetting, MisuseError
from hunchensocket_tx.factory import WebSocketFactory
from hunchensocket_tx.resource import WebSocketResource
from hunchensocket_tx.server_tls import ServerTLS
from hunchensocket_tx.settings import Settings
from hunchensocket_tx.tls import Path

__all__ = ["EndpointAcceptor", "WebSocketAcceptor", "WebSocketSSLAcceptor", "tcp_endpoint"]


def tcp_endpoint(reactor: Any, port: int, interface: str) -> IStreamServerEndpoint:
    """Return the endpoint for a TCP port on an interface, IPv4 or IPv6."""
    if isIPv6Address(interface):
        return TCP6ServerEndpoint(reactor, port, interface=interface)
    return TCP4ServerEndpoint(reactor, port, interface=interface)


class EndpointAcceptor(Service):
    """A service that serves WebSockets on any Twisted server endpoint.

    It listens when started, as early as privileges allow, and raises at once what keeps it from listening. When
    stopped, it stops listening and closes its WebSockets; then it may be started again.

    :param endpoint: where to listen.
    :param factory: what to serve, a site in most cases.
    :param resources: the resources of that site whose WebSockets are to be closed in the end.

    :ivar stop_reason: what clients are told then, with close code 1001.
    """

    stop_reason = "going away"

    _log = Logger()

    def __init__(
        self, endpoint: IStreamServerEndpoint, factory: IProtocolFactory, *resources: WebSocketResource
    ) -> None:
        self.factory = factory
        self._resources = resources
        self._endpoint = endpoint
        self._listening: Deferred[None] | None = None
        self._port: IListeningPort | None = None

    @property
    def address(self) -> Any:
        """Where it listens (an IAddress), with the port that the system chose if that was 0.

        :raises MisuseError: if it does not listen.
        """
        if self._port is None:
            raise MisuseError("this acceptor does not listen; start its service first")
        return self._port.getHost()

    def privilegedStartService(self) -> None:
        """Listen (IService)."""
        super().privilegedStartService()  # type: ignore[no-untyped-call]
        self._listen()

    def startService(self) -> None:
        """Listen, unless that was done with privileges (IService)."""
        super().startService()  # type: ignore[no-untyped-call]
        if self._listening is None:
            self._listen()

    def stopService(self) -> Deferred[Any]:
        """Stop listening and close all WebSockets (IService).

        :returns: as :meth:`WebSocketResource.close_all`.
        """
        super().stopService()  # type: ignore[no-untyped-call]
        listening, self._listening = self._listening, None
        port, self._port = self._port, None
        stopped = Deferred[Any]()
        if port is not None:
            port_stopped = port.stopListening()
            if isinstance(port_stopped, Deferred):
                port_stopped.chainDeferred(stopped)
            else:
                stopped.callback(None)
        else:
            if listening is not None:
                listening.cancel()
            stopped.callback(None)
        return stopped.addCallback(self._stop_resources)

    def _stop_resources(self, _: object) -> Deferred[Any]:
        return DeferredList([resource.stop(1001, self.stop_reason) for resource in self._resources])

    def _listen(self) -> None:
        for resource in self._resources:
            resource.start()
        failures: list[Failure] = []
        listening = self._endpoint.listen(self.factory)
        if listening.called:
            listening.addErrback(failures.append)
            if failures:
                failures[0].raiseException()
        self._listening = listening.addCallback(self._listens).addErrback(self._cannot_listen)

    def _cannot_listen(self, failure: Failure) -> None:
        if not failure.check(CancelledError):
            self._log.failure("{endpoint} cannot listen", failure, endpoint=self._endpoint)

    def _listens(self, port: IListeningPort) -> None:
        self._port = port


class WebSocketAcceptor(EndpointAcceptor):
    """A service that accepts WebSockets on a TCP port.

    :param port: number of the port; 0 lets the system choose, ``address`` tells.
    :param dispatchers: asked in order about each WebSocket; without any, those of the shared list are.
    :param interface: address to listen on, IPv4 or IPv6; all IPv4 ones by default.
    :param root: serves what is not for a WebSocket, and those that no dispatcher takes.
    :param settings: limits, timers, origins, versions; the defaults are safe.
    :param reactor: the global reactor by default.
    :param log_path: file for the access log; Twisted's log by default.
    :param changes: single settings, such as ``websocket_timeout`` (seconds without a byte after which a
        connection is closed, 0 for never).
    """

    def __init__(
        self,
        port: int,
        *dispatchers: Dispatcher,
        interface: str = "",
        root: IResource | None = None,
        settings: Settings | None = None,
        reactor: Any = None,
        log_path: str | None = None,
        **changes: Any,
    ) -> None:
        if reactor is None:
            from twisted.internet import reactor
        factory = WebSocketFactory(
            *dispatchers, root=root, settings=settings, reactor=reactor, log_path=log_path, **changes
        )
        super().__init__(self._make_endpoint(reactor, port, interface), factory, factory.websockets)

    def _make_endpoint(self, reactor: Any, port: int, interface: str) -> IStreamServerEndpoint:
        return tcp_endpoint(reactor, port, interface)


class WebSocketSSLAcceptor(WebSocketAcceptor):
    """A service that accepts WebSockets over TLS on a TCP port.

    :param certificate: PEM file with the certificate, and its chain behind it.
    :param private_key: PEM file with the key; by default it is in the same file.
    :raises InvalidSetting: if these cannot be used, naming the file.

    :ivar tls: the :class:`ServerTLS`, which reads its files again when they change, or by its ``reload()``.

    The other parameters are those of :class:`ServerTLS` and :class:`WebSocketAcceptor`.
    """

    def __init__(
        self,
        port: int,
        certificate: Path,
        private_key: Path | None = None,
        *dispatchers: Dispatcher,
        other_certificates: Iterable[tuple[Path, Path | None]] = (),
        private_key_passphrase: Path | None = None,
        client_ca: Path | None = None,
        client_certificates: Literal["required", "optional"] = "required",
        tls_version: Literal["1.2", "1.3"] = "1.2",
        **options: Any,
    ) -> None:
        if callable(private_key):
            raise InvalidSetting(
                "private_key: name its file, or None if the certificate's has it, before dispatchers"
            )
        self.tls = ServerTLS(
            certificate,
            private_key,
            other_certificates=other_certificates,
            private_key_passphrase=private_key_passphrase,
            client_ca=client_ca,
            client_certificates=client_certificates,
            tls_version=tls_version,
        )
        super().__init__(port, *dispatchers, **options)

    def _make_endpoint(self, reactor: Any, port: int, interface: str) -> IStreamServerEndpoint:
        return SSL4ServerEndpoint(reactor, port, self.tls, interface=interface)
