"""The check that a server's certificate is for the server that a client wants, which never lets a doubt pass.

Twisted's own (up to 26.10 at least) logs an error that it did not expect, as of a certificate that names no
server, and goes on as if that were right. So who has any such certificate of a trusted authority, as clients
often have, could play every server.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from weakref import ref

from OpenSSL import SSL, crypto
from service_identity.hazmat import DNS_ID, IPAddress_ID, ServiceID, verify_service_identity
from service_identity.pyopenssl import extract_patterns
from twisted.internet.abstract import isIPAddress, isIPv6Address
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from twisted.protocols.tls import TLSMemoryBIOProtocol
from twisted.python.failure import Failure
from zope.interface import implementer

__all__ = ["NameVerifier"]

Verify = Callable[[SSL.Connection, crypto.X509, int, int, int], bool]


@implementer(IOpenSSLClientConnectionCreator)
class NameVerifier:
    """Makes TLS connections as another creator does, and verifies the server's name itself (RFC 9525).

    :param creator: for the same name.
    :param name: a host's, as A-labels if it is IDN; or an IP address.
    :param any_root: whether each certificate that is trusted ends a chain, as a server's own that others signed.
    """

    def __init__(self, creator: IOpenSSLClientConnectionCreator, name: str, *, any_root: bool) -> None:
        self._creator = creator
        self._any_root = any_root
        is_address = isIPAddress(name) or isIPv6Address(name)
        self._service: ServiceID = IPAddress_ID(name) if is_address else DNS_ID(name)

    def clientConnectionForTLS(self, tlsProtocol: TLSMemoryBIOProtocol) -> SSL.Connection:  # noqa: N803
        """Return a connection, as IOpenSSLClientConnectionCreator has it."""
        connection: SSL.Connection = self._creator.clientConnectionForTLS(tlsProtocol)
        if self._any_root:
            store = connection.get_context().get_cert_store()
            assert store is not None
            store.set_flags(crypto.X509StoreFlags.PARTIAL_CHAIN)
        connection.set_verify(
            SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, _verify(tlsProtocol, self._service)
        )
        return connection


def _verify(protocol: TLSMemoryBIOProtocol, service: ServiceID) -> Verify:
    """Return OpenSSL's callback, which is asked about each certificate of a chain; True lets it pass."""
    about: Any = ref(protocol)  # the connection is the protocol's

    def verify(connection: SSL.Connection, certificate: crypto.X509, error: int, depth: int, good: int) -> bool:
        if depth or not good:
            return bool(good)
        try:
            verify_service_identity(extract_patterns(certificate), [service], [])
        except Exception:  # of whatever kind: OpenSSL would not see it, and it must not pass for a yes
            about().failVerification(Failure())
            return False
        return True

    return verify
