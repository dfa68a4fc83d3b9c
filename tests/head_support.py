"""What the tests of the lean way to a handshake need: two sites of the same resources, and what each answers."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.web.resource import IResource, Resource
from twisted.web.server import Site
from twisted.web.static import Data

from hunchensocket_tx import Reject, Settings, WebSocketResource, WebSocketStream
from hunchensocket_tx.factory import GuardedSite
from tests.harness import SlowPage
from tests.hybi_stream_support import NONCE
from tests.stream_support import MemoryTransport
from tests.support import KEY1, KEY2

SETTINGS = Settings(handshake_timeout=10, closing_timeout=5, ping_interval=0, websocket_timeout=0, origins="*")
"""Those of the sites, with no timer for a WebSocket that is open."""

FIELDS_13 = {
    "Host": "example.com",
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": NONCE,
}
"""The fields of an opening handshake of RFC 6455."""

FIELDS_76 = {
    "Host": "example.com",
    "Upgrade": "WebSocket",
    "Connection": "Upgrade",
    "Origin": "http://example.com",
    "Sec-WebSocket-Key1": KEY1,
    "Sec-WebSocket-Key2": KEY2,
}
"""Those of hixie-76."""

PAGE = b"GET /page HTTP/1.1\r\nHost: example.com\r\n\r\n"

VARIES = re.compile(rb"Date: [^\r]*\r\n")


def head(
    target: str = "/chat", fields: dict[str, str] = FIELDS_13, /, version: str = "HTTP/1.1", **changes: str | None
) -> bytes:
    """Return the head of a request.

    :param changes: fields to add or replace, ``_`` for ``-``; None leaves one out.
    """
    merged: dict[str, str | None] = dict(fields)
    for name, value in changes.items():
        name = name.replace("_", "-")
        known = next((each for each in merged if each.lower() == name.lower()), name)
        merged[known] = value
    lines = [f"{name}: {value}" for name, value in merged.items() if value is not None]
    return "\r\n".join([f"GET {target} {version}", *lines, "", ""]).encode("latin-1")


class SocketTransport(MemoryTransport):
    """A transport in memory that tells which protocol reads it, as those of sockets do."""

    protocol: Any = None

    def __init__(self) -> None:
        super().__init__()
        self.no_delay = False

    def setTcpNoDelay(self, enabled: bool) -> None:
        self.no_delay = enabled


class Failing(Resource):
    """Fails."""

    isLeaf = True  # noqa: N815

    def render(self, request: Any) -> int:
        return 1 // 0


def details(request: Any) -> dict[str, Any]:
    """Return all that a dispatcher may want to know of a request."""
    return {
        "method": request.method,
        "uri": request.uri,
        "path": request.path,
        "version": request.clientproto,
        "args": request.args,
        "prepath": request.prepath,
        "postpath": request.postpath,
        "sitepath": request.sitepath,
        "fields": list(request.requestHeaders.getAllRawHeaders()),
        "cookies": request.received_cookies,
        "host": request.getHost(),
        "client": request.getClientAddress(),
        "secure": request.isSecure(),
        "user": request.getUser(),
        "password": request.getPassword(),
        "name": request.getRequestHostname(),
        "url": request.prePathURL(),
    }


def _nobody(request: Any) -> None:
    """Take nothing, as a dispatcher."""


class World:
    """A tree of resources with WebSockets and others in it.

    - ``/chat`` echoes, ``/no`` is rejected, ``/nobody`` is taken by nobody, ``/slow`` is up to ``decide``
    - ``/back`` is taken by nobody, and has a page to fall back on
    - ``/page``, ``/later``, ``/fails`` are no WebSockets

    :param factory: whether the root is one WebSocketResource in front of it all, as that of a WebSocketFactory.
    :param look: what dispatchers note down.
    """

    def __init__(
        self,
        clock: Clock,
        decide: Callable[[Any], Any] = lambda request: None,
        factory: bool = False,
        look: Callable[[Any], Any] = details,
    ) -> None:
        self.seen: list[Any] = []
        self.later = SlowPage()
        self.resources: list[WebSocketResource] = []
        self._clock = clock
        self._look = look
        dispatchers = {
            b"chat": lambda request: lambda stream, mutex: stream.send,
            b"no": lambda request: Reject(401, "who?", {"WWW-Authenticate": "Basic"}),
            b"nobody": lambda request: None,
            b"slow": decide,
            b"fail": lambda request: 1 // 0,
        }
        tree = Resource()
        for name, dispatcher in dispatchers.items():
            tree.putChild(name, self._resource(dispatcher))
        tree.putChild(b"back", self._resource(lambda _: None, Data(b"a page to fall back on", "text/plain")))
        tree.putChild(b"page", Data(b"a page", "text/plain"))
        tree.putChild(b"later", self.later)
        tree.putChild(b"fails", Failing())

        def dispatch(request: Any) -> Any:
            first = request.path.split(b"/")[1:2] if request.path.startswith(b"/") else []
            return dispatchers.get(b"".join(first), _nobody)(request)

        self.root = self._resource(dispatch, tree) if factory else tree

    def _resource(self, dispatcher: Callable[[Any], Any], fallback: IResource | None = None) -> WebSocketResource:
        def looking(request: Any) -> Any:
            self.seen.append(self._look(request))
            return dispatcher(request)

        resource = WebSocketResource(looking, fallback=fallback, settings=SETTINGS, reactor=self._clock)
        self.resources.append(resource)
        return resource

    @property
    def streams(self) -> list[WebSocketStream]:
        """The WebSockets that are not closed yet."""
        return [stream for resource in self.resources for stream in resource.streams]


class Visit:
    """A client in memory of a site.

    :param site: which nobody has started, so that it logs nothing by itself.
    """

    def __init__(self, site: Site) -> None:
        self.site = site
        self.logged: list[tuple[bytes, int, int]] = []
        site.log = lambda request: self.logged.append(  # type: ignore[method-assign]
            (request.uri, request.code, request.sentLength)
        )
        self.transport = SocketTransport()
        self.transport.protocol = site.buildProtocol(None)
        self.transport.protocol.makeConnection(self.transport)

    def send(self, *pieces: bytes) -> Visit:
        """Send segments, as long as the server reads."""
        for piece in pieces:
            if self.transport.aborted or self.transport.disconnecting:
                break
            self.transport.protocol.dataReceived(piece)
        return self

    def leave(self) -> None:
        """Close, or drop what is closed already."""
        self.transport.protocol.connectionLost(Failure(ConnectionDone()))

    @property
    def received(self) -> bytes:
        """All that was received."""
        data: bytes = self.transport.value()
        return data

    @property
    def answer(self) -> bytes:
        """All that was received, without what depends on the time of day."""
        return VARIES.sub(b"", self.received)

    @property
    def status(self) -> int:
        """The status of the first answer."""
        return int(self.received.split(b" ", 2)[1])

    @property
    def body(self) -> bytes:
        """What follows the first head."""
        return self.received.partition(b"\r\n\r\n")[2]


class Pair(NamedTuple):
    """The same bytes sent to two sites: that of twisted.web, and ours."""

    plain: Visit
    lean: Visit
    plain_world: World
    lean_world: World


def plain_site(world: World, clock: Clock) -> Site:
    """Return a site of twisted.web."""
    return Site(world.root, reactor=clock)


def lean_site(world: World, clock: Clock) -> GuardedSite:
    """Return a site of ours."""
    return GuardedSite(world.root, SETTINGS, clock)


def send_to_both(pieces: Iterable[bytes], clock: Clock | None = None, **options: Any) -> Pair:
    """Send the same segments to a site of each kind.

    :param options: those of :class:`World`.
    """
    segments, clock = list(pieces), clock or Clock()
    plain_world, lean_world = World(clock, **options), World(clock, **options)
    plain = Visit(plain_site(plain_world, clock)).send(*segments)
    lean = Visit(lean_site(lean_world, clock)).send(*segments)
    return Pair(plain, lean, plain_world, lean_world)
