"""Reaches a server through a proxy: an endpoint like any other, around which TLS can be put."""

from __future__ import annotations

from typing import Any, NoReturn

from OpenSSL import SSL
from service_identity import CertificateError, VerificationError
from twisted.internet.address import HostnameAddress
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
from twisted.internet.error import ConnectError, ConnectingCancelledError, DNSLookupError, NoProtocol
from twisted.internet.interfaces import (
    IAddress,
    IOpenSSLClientConnectionCreator,
    IProtocol,
    IProtocolFactory,
    IReactorTime,
    IStreamClientEndpoint,
)
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.protocols.policies import ProtocolWrapper
from twisted.python.failure import Failure
from zope.interface import implementer

from hunchensocket_tx.errors import ProxyFailed
from hunchensocket_tx.proxies import Proxy
from hunchensocket_tx.tls import ClientTLS
from hunchensocket_tx.wire.tunnel import ConnectTunnel, SocksTunnel, Tunnel

__all__ = ["ProxyEndpoint", "through"]


def through(
    proxy: Proxy,
    reactor: Any,
    host: str,
    port: int,
    *,
    timeout: float = 30.0,
    tls: IOpenSSLClientConnectionCreator | None = None,
) -> IStreamClientEndpoint:
    """Return an endpoint that reaches a server through a proxy.

    :param host: IP address or ASCII name of the server, for the proxy to look up.
    :param timeout: seconds until the tunnel is open, from looking up the proxy's name on.
    :param tls: for an ``https`` proxy, instead of ``ClientTLS`` with the proxy's name.
    :raises InvalidURL: if ``host`` is neither.
    """
    endpoint: IStreamClientEndpoint = HostnameEndpoint(reactor, proxy.host, proxy.port, timeout)
    if proxy.scheme == "https":
        endpoint = wrapClientTLS(tls or ClientTLS().creator(proxy.host), endpoint)
    return ProxyEndpoint(endpoint, proxy, host, port, clock=reactor, timeout=timeout)


@implementer(IStreamClientEndpoint)
class ProxyEndpoint:
    """Connects to a proxy, has it make a tunnel, and hands that to the protocol of a factory.

    The transport then calls this protocol itself. Its factory's ``buildProtocol`` gets the server's
    ``HostnameAddress``; the transport's ``getPeer`` is the proxy.

    :param endpoint: connects to the proxy, by TLS if that is what it speaks.
    :param host: IP address or ASCII name of the server, for the proxy to look up.
    :param timeout: seconds until the tunnel is open.
    :raises InvalidURL: if ``host`` is neither.
    """

    def __init__(
        self,
        endpoint: IStreamClientEndpoint,
        proxy: Proxy,
        host: str,
        port: int,
        *,
        clock: IReactorTime,
        timeout: float = 30.0,
    ) -> None:
        self._endpoint = endpoint
        self._proxy = proxy
        self._host = host
        self._port = port
        self._clock = clock
        self._timeout = timeout
        self._tunnel()  # raises what there is to raise

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:  # noqa: N803
        """Return a Deferred of the factory's connected protocol.

        It fails with ProxyFailed, or with what the factory raised; cancelling it drops the connection.
        """
        connecting: Deferred[Any] = self._endpoint.connect(_DialogueFactory(self, protocolFactory))
        connecting.addCallbacks(lambda dialogue: dialogue.opened, self._unreachable)
        return connecting.addTimeout(self._timeout, self._clock, self._too_late)

    def dialogue(self, factory: IProtocolFactory) -> _Dialogue:
        """Return a protocol for a new connection to the proxy, which makes way for one of a factory's."""
        target = HostnameAddress(self._host.encode("ascii"), self._port)
        return _Dialogue(str(self._proxy), self._tunnel(), factory, target)

    def _tunnel(self) -> Tunnel:
        kind = SocksTunnel if self._proxy.scheme == "socks5" else ConnectTunnel
        return kind(str(self._proxy), self._host, self._port, self._proxy.credentials)

    def _unreachable(self, failure: Failure) -> Failure:
        if failure.check(CancelledError, ConnectingCancelledError):
            return failure
        if failure.check(DNSLookupError):
            why = f"no address is known for the name {self._proxy.host}"
        elif failure.check(ConnectError):
            why = failure.getErrorMessage()
        else:
            return failure
        raise ProxyFailed(
            f"the proxy {self._proxy} cannot be reached: {why}; check its URL, and whether it runs"
        ) from failure.value

    def _too_late(self, result: object, seconds: float) -> NoReturn:
        raise ProxyFailed(
            f"the proxy {self._proxy} did not connect to {self._host} port {self._port} within {seconds:g} s:"
            " check its URL, and whether it can reach that"
        )


class _DialogueFactory(Factory):
    """Makes a dialogue for each connection; HostnameEndpoint may try several."""

    noisy = False

    def __init__(self, endpoint: ProxyEndpoint, factory: IProtocolFactory) -> None:
        self._endpoint = endpoint
        self._factory = factory

    def doStart(self) -> None:
        """Tell the factory behind this one."""
        self._factory.doStart()

    def doStop(self) -> None:
        """Tell the factory behind this one."""
        self._factory.doStop()

    def buildProtocol(self, addr: IAddress | None) -> Protocol:
        """Return a dialogue."""
        return self._endpoint.dialogue(self._factory)


class _Dialogue(Protocol):
    """Talks with the proxy until there is a tunnel, then makes way for another protocol."""

    transport: Any

    def __init__(self, proxy: str, tunnel: Tunnel, factory: IProtocolFactory, target: HostnameAddress) -> None:
        self.opened: Deferred[IProtocol] = Deferred(lambda _: self.transport.abortConnection())
        """Fires with the other protocol."""
        self._proxy = proxy
        self._tunnel = tunnel
        self._factory = factory
        self._target = target

    def connectionMade(self) -> None:
        """Speak first."""
        self.transport.write(self._tunnel.start())

    def dataReceived(self, data: bytes) -> None:
        """Answer the proxy."""
        if self.opened.called:
            return  # it is given up
        try:
            answer = self._tunnel.receive(data)
        except ProxyFailed:
            self._fail(Failure())
            return
        if answer:
            self.transport.write(answer)
        if self._tunnel.is_open:
            self._make_way()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Fail, if that has not been done."""
        if self.opened.called:
            return
        try:
            if reason.check(SSL.Error, VerificationError, CertificateError):
                raise ProxyFailed(
                    f"TLS with the proxy {self._proxy} failed: {reason.value!r}; its certificate is not trusted or"
                    " for another name, or it speaks no TLS, then its URL begins with http://"
                ) from reason.value
            self._tunnel.end()
        except ProxyFailed:
            self.opened.errback(Failure())

    def _make_way(self) -> None:
        try:
            protocol = self._factory.buildProtocol(self._target)
            if protocol is None:
                raise NoProtocol
            self._redirect(protocol)
            protocol.makeConnection(self.transport)
        except Exception:
            self._fail(Failure())
            return
        self.opened.callback(protocol)
        if self._tunnel.rest and not self.transport.disconnecting:
            protocol.dataReceived(self._tunnel.rest)

    def _redirect(self, protocol: IProtocol) -> None:
        """Let the transport call the other protocol.

        Whatever it has called so far lets us have the bytes as they come, else it would be our transport itself;
        Twisted's endpoints put such a thing between. It would hide what interfaces the other protocol has.
        """
        if isinstance(self.transport, ProtocolWrapper):
            self.transport.wrappedProtocol = protocol
        elif hasattr(self.transport, "protocol"):
            self.transport.protocol = protocol
        # A transport of another kind goes on calling us.
        self.dataReceived = protocol.dataReceived  # type: ignore[method-assign]
        self.connectionLost = protocol.connectionLost  # type: ignore[assignment, method-assign]

    def _fail(self, failure: Failure) -> None:
        self.opened.errback(failure)
        self.transport.abortConnection()
