"""Lets ``clientFromString`` and ``serverFromString`` understand ``ws:...`` and ``wss:...``.

Twisted imports every plugin to find the one for a description: keep this cheap.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import (
    IStreamClientEndpoint,
    IStreamClientEndpointStringParserWithReactor,
    IStreamServerEndpoint,
    IStreamServerEndpointStringParser,
)
from twisted.plugin import IPlugin
from zope.interface import implementer


@implementer(IPlugin, IStreamClientEndpointStringParserWithReactor, IStreamServerEndpointStringParser)
class _Parser:
    """Takes descriptions with one prefix to who reads them."""

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix

    def parseStreamClient(self, reactor: Any, *args: Any, **kwargs: Any) -> IStreamClientEndpoint:  # noqa: N802
        from hunchensocket_tx.endpoint_strings import parse_client

        return parse_client(reactor, self.prefix, args, kwargs)

    def parseStreamServer(self, reactor: Any, *args: Any, **kwargs: Any) -> IStreamServerEndpoint:  # noqa: N802
        from hunchensocket_tx.endpoint_strings import parse_server

        return parse_server(reactor, self.prefix, args, kwargs)


hunchensocket_ws = _Parser("ws")
hunchensocket_wss = _Parser("wss")
