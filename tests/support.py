"""What several tests need: a site on 127.0.0.1, and a client that sends bytes as it is told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred, succeed
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol, serverFromString
from twisted.internet.interfaces import IProtocolFactory, IStreamClientEndpoint
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.trial.unittest import TestCase
from twisted.web.resource import IResource
from twisted.web.server import Site

from hunchensocket_tx.settings import Settings
from hunchensocket_tx.wire.hixie_client import HixieClientHandshake

KEY1, KEY2, KEY3 = "4 @1  46546xW%0l 1 5", "12998 5 Y3 1  .P00", b"^n:ds[4U"
"""The keys of the example in section 1.2 of the draft."""

RESPONSE = b"8jKS'y:G*Co,Wxa-"
"""The answer to them."""


async def serve(
    case: TestCase, site: IResource | IProtocolFactory, endpoint: str = "tcp:0:interface=127.0.0.1"
) -> Any:
    """Serve a resource or factory for the length of a test; return the listening port's address."""
    factory = Site(site, reactor=reactor) if IResource.providedBy(site) else site
    port = await serverFromString(reactor, endpoint).listen(factory)
    case.addCleanup(port.stopListening)
    return port.getHost()


class RawClient(Protocol):
    """A client that sends what it is told, and keeps what it receives."""

    def __init__(self) -> None:
        self.data = b""
        self.closed: Deferred[None] = Deferred()
        """Fires when the connection is gone."""
        self.is_closed = False
        self._wanted: Callable[[], bool] = lambda: False
        self._waiting: Deferred[None] | None = None

    def write(self, data: bytes) -> None:
        """Send bytes."""
        assert self.transport is not None
        self.transport.write(data)

    def until(self, wanted: Callable[[bytes], bool] | bytes) -> Deferred[None]:
        """Wait until the data received contains something, or satisfies a function."""
        if isinstance(wanted, bytes):
            expected = wanted
            self._wanted = lambda: expected in self.data
        else:
            judge = wanted
            self._wanted = lambda: judge(self.data)
        if self._wanted():
            return succeed(None)
        if self.is_closed:
            raise AssertionError(f"the connection ended; received were {self.data!r}")
        self._waiting = Deferred()
        return self._waiting

    def dataReceived(self, data: bytes) -> None:
        self.data += data
        if self._waiting is not None and self._wanted():
            waiting, self._waiting = self._waiting, None
            waiting.callback(None)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.is_closed = True
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.errback(AssertionError(f"the connection ended; received were {self.data!r}"))
        self.closed.callback(None)

    def abort(self) -> None:
        """Drop the connection at once."""
        transport: Any = self.transport
        transport.abortConnection()

    @property
    def head(self) -> bytes:
        """The head of the answer, with the empty line."""
        head, separator, _ = self.data.partition(b"\r\n\r\n")
        return head + separator

    @property
    def body(self) -> bytes:
        """What follows the head."""
        return self.data.partition(b"\r\n\r\n")[2]

    @property
    def status(self) -> int:
        """The status code of the answer."""
        return int(self.data.split(b" ", 2)[1])


async def connect(case: TestCase, address: Any, endpoint: IStreamClientEndpoint | None = None) -> RawClient:
    """Connect to a TCP address on this machine (or an endpoint); the connection is dropped after the test."""
    client = RawClient()
    if endpoint is None:
        endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", address.port)
    await connectProtocol(endpoint, client)

    def drop() -> Deferred[None] | None:
        if client.is_closed:
            return None
        client.abort()
        return client.closed

    case.addCleanup(drop)
    return client


def request_76(
    address: Any, path: str = "/", *, key3: bytes = KEY3, secure: bool = False, **changes: Any
) -> bytes:
    """Return a hixie-76 request with the keys of the draft's example.

    :param changes: fields to add or replace, ``_`` for ``-``; None leaves one out.
    """
    host = f"127.0.0.1:{address.port}"
    fields: dict[str, str | None] = {
        "upgrade": "WebSocket",
        "connection": "Upgrade",
        "host": host,
        "origin": f"{'https' if secure else 'http'}://{host}",
        "sec-websocket-key1": KEY1,
        "sec-websocket-key2": KEY2,
    }
    fields.update((name.replace("_", "-").lower(), value) for name, value in changes.items())
    lines = [f"{name}: {value}" for name, value in fields.items() if value is not None]
    return "\r\n".join([f"GET {path} HTTP/1.1", *lines, "", ""]).encode("latin-1") + key3


async def open_76(case: TestCase, address: Any, path: str = "/", **changes: Any) -> RawClient:
    """Connect and complete the opening handshake of hixie-76; what comes then is in ``data``."""
    client = await connect(case, address)
    client.write(request_76(address, path, **changes))
    await client.until(lambda data: len(data.partition(b"\r\n\r\n")[2]) >= 16)
    case.assertEqual(client.status, 101)
    case.assertEqual(client.body[:16], RESPONSE)
    client.data = client.body[16:]
    return client


def frame_76(text: str) -> bytes:
    """Return a hixie text frame."""
    return b"\x00" + text.encode() + b"\xff"


def client_handshake(**changes: Any) -> HixieClientHandshake:
    """Return the client's end of a handshake with fresh random keys.

    :param changes: other arguments than those of the draft's section 1.2.
    """
    arguments: dict[str, Any] = {
        "host": "example.com",
        "target": "/demo",
        "settings": Settings(),
        "origin": "http://example.com",
        **changes,
    }
    return HixieClientHandshake(**arguments)
