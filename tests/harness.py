"""What the tests of the HTTP side share: certificates, clients for other transports, a dispatcher that echoes."""

from __future__ import annotations

import datetime
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from twisted.internet import reactor
from twisted.internet.defer import Deferred, DeferredLock
from twisted.internet.endpoints import SSL4ClientEndpoint, TCP4ClientEndpoint, connectProtocol
from twisted.internet.interfaces import IHalfCloseableProtocol, IProtocolFactory, IStreamClientEndpoint
from twisted.internet.ssl import Certificate, optionsForClientTLS
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase
from twisted.web.http import Request
from twisted.web.resource import IResource, Resource
from twisted.web.server import NOT_DONE_YET
from zope.interface import implementer

from hunchensocket_tx import WebSocketStream
from tests.support import RESPONSE, RawClient, serve

Client = TypeVar("Client", bound=RawClient)


class Issued:
    """A certificate for ``localhost`` and its key: signed by itself, or by an issuer.

    :param name: whose it is.
    :param names: what it is for, if that is not the name; those of hosts as they are.
    :param days: for how long it will do yet.
    """

    def __init__(
        self,
        name: str = "localhost",
        issuer: Issued | None = None,
        names: Sequence[str | x509.GeneralName] | None = None,
        *,
        days: int = 1,
    ) -> None:
        self.key: EllipticCurvePrivateKey = generate_private_key(SECP256R1())
        self.name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        now = datetime.datetime.now(datetime.timezone.utc)
        builder = (
            x509.CertificateBuilder()
            .subject_name(self.name)
            .issuer_name((issuer or self).name)
            .public_key(self.key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=2))
            .not_valid_after(now + datetime.timedelta(days=days))
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        )
        wanted = [name] if names is None else names
        if wanted:
            alternatives = [x509.DNSName(one) if isinstance(one, str) else one for one in wanted]
            builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        self.certificate = builder.sign((issuer or self).key, hashes.SHA256())

    @property
    def pem(self) -> bytes:
        """The certificate."""
        return self.certificate.public_bytes(Encoding.PEM)

    def key_pem(self, passphrase: bytes | None = None) -> bytes:
        """Return the key, encrypted if there is a passphrase."""
        encryption = BestAvailableEncryption(passphrase) if passphrase else NoEncryption()
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)


class PemFolder:
    """A folder to put PEM files into.

    :param path: what ``mktemp`` returned.
    """

    def __init__(self, path: str) -> None:
        self.path = Path(path)
        self.path.mkdir()

    def write(self, name: str, *contents: bytes) -> str:
        """Write a file; return its path."""
        path = self.path / name
        path.write_bytes(b"".join(contents))
        return os.fspath(path)


def tls_client(port: int, authority: Issued, host: str = "127.0.0.1") -> IStreamClientEndpoint:
    """Return an endpoint for a TLS server on this machine that trusts one certificate only."""
    trusted: Any = Certificate.loadPEM(authority.pem)
    return SSL4ClientEndpoint(reactor, host, port, optionsForClientTLS("localhost", trustRoot=trusted))


async def serve_tls(case: TestCase, site: IResource | IProtocolFactory) -> tuple[Any, IStreamClientEndpoint]:
    """Serve a resource or factory over TLS; return the address and the endpoint for clients."""
    issued, folder = Issued(), PemFolder(case.mktemp())
    files = folder.write("both", issued.pem, issued.key_pem())
    address = await serve(case, site, f"ssl:0:interface=127.0.0.1:privateKey={files}:certKey={files}")
    return address, tls_client(address.port, issued)


async def connect_as(case: TestCase, client: Client, address: Any) -> Client:
    """Connect a client of some kind to a TCP address on this machine; the connection is dropped after the test."""
    await connectProtocol(TCP4ClientEndpoint(reactor, "127.0.0.1", address.port), client)
    case.addCleanup(lambda: None if client.is_closed else client.abort() or client.closed)
    return client


async def complete_76(client: RawClient, request: bytes) -> None:
    """Complete the opening handshake of hixie-76; what comes behind it is in ``data``."""
    client.write(request)
    await answered_76(client)


async def answered_76(client: RawClient) -> None:
    """Await the whole answer to a hixie-76 handshake; what comes behind it is in ``data``."""
    await client.until(lambda data: len(data.partition(b"\r\n\r\n")[2]) >= len(RESPONSE))
    assert client.status == 101, client.data
    assert client.body.startswith(RESPONSE), client.data
    client.data = client.body[len(RESPONSE) :]


async def tls_agreed(client: RawClient) -> None:
    """Wait until a client is done with its TLS handshake; what it sends then is on its way at once."""
    transport: Any = client.transport
    await turns_until(lambda: transport.getPeerCertificate() is not None)


async def turns(count: int = 6) -> None:
    """Let the reactor go round, such that what was written to a socket on this machine has been read.

    TLS takes most: a turn to encrypt, one to send, one to receive; the rest is for the answer.
    """
    for _ in range(count):
        await deferLater(reactor, 0)


async def turns_until(condition: Callable[[], bool]) -> None:
    """Let the reactor go round until a condition holds; the test's timeout is the limit."""
    while not condition():
        await turns(1)


def silent(stream: object, mutex: object) -> None:
    """Have no message handler, as a handshake handler."""


def header_fields(client: RawClient) -> dict[str, list[str]]:
    """Return the header fields that a client received, names in lower case."""
    found: dict[str, list[str]] = {}
    for line in client.head.decode("latin-1").split("\r\n")[1:-2]:
        name, _, value = line.partition(": ")
        found.setdefault(name.lower(), []).append(value)
    return found


def echo(request: Request) -> Callable[[WebSocketStream, DeferredLock], Callable[[str], bool]]:
    """Take any WebSocket, and send back what it says."""
    return lambda stream, mutex: stream.send


@implementer(IHalfCloseableProtocol)
class PatientClient(RawClient):
    """A client that keeps its side open when the server has closed its own."""

    def __init__(self) -> None:
        super().__init__()
        self.server_done: Deferred[None] = Deferred()
        """Fires when the server has closed its side."""

    def readConnectionLost(self) -> None:
        self.server_done.callback(None)

    def writeConnectionLost(self) -> None:
        pass


class SlowPage(Resource):
    """Answers when the test wants it to."""

    isLeaf = True  # noqa: N815

    def __init__(self) -> None:
        super().__init__()
        self.requests: list[Any] = []

    def render(self, request: Any) -> int:
        self.requests.append(request)
        return NOT_DONE_YET
