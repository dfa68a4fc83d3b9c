"""The way to a server: which endpoint leads there, and in plain words why it does not."""

from __future__ import annotations

from typing import Any

from OpenSSL import SSL
from service_identity import CertificateError, VerificationError
from twisted.internet import error as twisted_errors
from twisted.internet.abstract import isIPAddress, isIPv6Address
from twisted.internet.defer import TimeoutError as DeferredTimeout
from twisted.internet.endpoints import (
    HostnameEndpoint,
    TCP4ClientEndpoint,
    TCP6ClientEndpoint,
    UNIXClientEndpoint,
    wrapClientTLS,
)
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator, IStreamClientEndpoint

from hunchensocket_tx.errors import (
    CannotConnect,
    CertificateRejected,
    ConnectTimeout,
    NameNotFound,
    NotListening,
    PeerError,
)
from hunchensocket_tx.proxies import Proxy
from hunchensocket_tx.proxy_endpoint import through
from hunchensocket_tx.urls import WebSocketURL

__all__ = ["endpoint_to", "explain"]


def endpoint_to(
    reactor: Any,
    url: WebSocketURL,
    *,
    endpoint: IStreamClientEndpoint | None,
    proxy: Proxy | None,
    tls: IOpenSSLClientConnectionCreator | None,
    proxy_tls: IOpenSSLClientConnectionCreator | None = None,
    timeout: float,
) -> IStreamClientEndpoint:
    """Return the endpoint that connects to a URL's server.

    :param endpoint: how to get there, below TLS, if it is not by the URL's host and port.
    :param tls: what makes the TLS connection, if there is to be one.
    :param proxy_tls: likewise for an ``https`` proxy, if it is not to be by what the system trusts.
    :param timeout: seconds for one of its addresses, or for all that the proxy does.
    """
    if endpoint is None:
        if url.unix_path is not None:
            endpoint = UNIXClientEndpoint(reactor, url.unix_path, timeout)
        elif proxy is not None:
            endpoint = through(proxy, reactor, url.host, url.port, timeout=timeout, tls=proxy_tls)
        elif isIPAddress(url.host):
            endpoint = TCP4ClientEndpoint(reactor, url.host, url.port, timeout)
        elif isIPv6Address(url.host):
            endpoint = TCP6ClientEndpoint(reactor, url.host, url.port, timeout)
        else:
            endpoint = HostnameEndpoint(reactor, url.host, url.port, timeout)
    return endpoint if tls is None else wrapClientTLS(tls, endpoint)


def explain(error: BaseException, url: WebSocketURL, timeout: float) -> PeerError | None:
    """Return an error of Twisted's, TLS or the system as one of ours, with the mend in its text.

    :param timeout: seconds that there were.
    :returns: None for an error of another kind, such as a cancellation.
    """
    if isinstance(error, PeerError):
        return error
    place = f"{url.host}, port {url.port}" if url.unix_path is None else url.unix_path
    if isinstance(error, (twisted_errors.DNSLookupError, twisted_errors.UnknownHostError)):
        return NameNotFound(f"no address is known for the name {url.host}: check the URL, or the name server")
    if isinstance(error, twisted_errors.ConnectionRefusedError):
        return NotListening(f"nobody listens at {place}: check the URL, and that the server runs")
    if isinstance(error, (twisted_errors.TimeoutError, twisted_errors.TCPTimedOutError, DeferredTimeout)):
        return ConnectTimeout(
            f"{place} could not be reached within {timeout:g} seconds: check the URL and the network, or give it "
            "more time (connect_timeout=...)"
        )
    if isinstance(error, (SSL.Error, VerificationError, CertificateError)):
        return _explain_tls(error, url)
    if url.secure and isinstance(error, twisted_errors.ConnectionClosed):
        return CertificateRejected(
            f"{place} closed the connection within the TLS handshake: is this a TLS port? Without TLS, the URL "
            "begins with ws:"
        )
    if isinstance(error, (twisted_errors.ConnectionClosed, twisted_errors.ConnectError, OSError)):
        return CannotConnect(f"{place} could not be reached: {error}")
    return None


def _explain_tls(error: BaseException, url: WebSocketURL) -> CertificateRejected:
    if isinstance(error, (VerificationError, CertificateError)):
        return CertificateRejected(
            f"the server's certificate is not for {url.host}: check the URL, or name the one it is for "
            "(tls=ClientTLS(server_name=...))"
        )
    queue = error.args[0] if error.args and isinstance(error.args[0], list) else ()  # of OpenSSL's errors
    words = "; ".join(str(part[-1]) for part in queue)
    if "certificate verify failed" in words:
        return CertificateRejected(
            f"the certificate of {url.host} is not to be trusted ({words}): it has expired, or nobody we know has "
            "signed it; if you do trust it, name it or its authority (tls=ClientTLS(trust_roots='ca.pem'))"
        )
    if "alert" in words:
        return CertificateRejected(
            f"{url.host} ended the TLS handshake ({words}): it may want a client's certificate "
            "(tls=ClientTLS(certificate=...)), newer or older TLS, or no ALPN"
        )
    return CertificateRejected(
        f"TLS with {url.host}, port {url.port}, failed ({words or 'without a word'}): is this a TLS port? Without "
        "TLS, the URL begins with ws:"
    )
