"""Hunchensocket itself: ``python -m benchmarks.servers.ours PORT echo|broadcast factory|site``.

``factory`` is a WebSocketFactory, for a port of its own; ``site`` a WebSocketResource in an ordinary Site.
"""

import sys
from typing import Any

import twisted.internet.reactor
from twisted.web.resource import Resource
from twisted.web.server import Site

from hunchensocket_tx import Group, Settings, WebSocketFactory, WebSocketResource

reactor: Any = twisted.internet.reactor
port, mode, way = sys.argv[1:]
group = Group()


def echo(request: Any) -> Any:
    """Send everything back."""
    return lambda stream, mutex: stream.send


def broadcast(request: Any) -> Any:
    """Send everything to all."""

    def handshake(stream: Any, mutex: Any) -> Any:
        group.add(stream)
        return group.send

    return handshake


class QuietSite(Site):
    """A site without an access log, as the other servers are."""

    def log(self, request: Any) -> None:
        """Say nothing (Site)."""


dispatcher = broadcast if mode == "broadcast" else echo
settings = Settings(compression=False, max_message_size=16 * 1024 * 1024)
if way == "site":
    root = Resource()
    root.putChild(b"", WebSocketResource(dispatcher, settings=settings))
    factory: Site = QuietSite(root)
else:
    factory = WebSocketFactory(dispatcher, settings=settings)
    factory.log = lambda request: None  # type: ignore[method-assign]
reactor.listenTCP(int(port), factory, 1024, "127.0.0.1")
reactor.run()
