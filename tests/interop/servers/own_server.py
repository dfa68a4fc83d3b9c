"""Our own server, in a process of its own."""

from __future__ import annotations

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.task import react
from twisted.web.server import Request

from hunchensocket_tx import (
    Accept,
    CloseReason,
    Reject,
    WebSocketFactory,
    WebSocketStream,
    conversation,
    select_subprotocol,
)
from tests.interop.servers.saying import FAREWELL, LARGEST, PATHS, SUBPROTOCOLS, say


@conversation
async def talk(stream: WebSocketStream) -> None:
    """Do what the path says, and send everything back; say how it ended."""
    assert stream.request is not None
    path = stream.request.path
    stream.when_closed().addCallback(_say_closed)
    if path == b"/leave":
        stream.close(*FAREWELL)
    if path == b"/ping":
        await stream.ping()
        stream.send("you live")
    async for message in stream:
        if path == b"/parts":
            async with stream.message() as outgoing:
                for start in range(0, len(message), 3):
                    await outgoing.write(message[start : start + 3])
        else:
            stream.send(message)


def _say_closed(end: CloseReason) -> None:
    say(closed=[end.code, end.reason])


def dispatch(request: Request) -> Accept | Reject:
    """Take the known paths."""
    if request.path.decode() not in PATHS:
        return Reject(404)
    return Accept(talk, subprotocol=select_subprotocol(request, SUBPROTOCOLS))


async def main(_: object) -> None:
    """Serve."""
    factory = WebSocketFactory(dispatch, max_message_size=LARGEST, origins="*")
    port = await serverFromString(reactor, "tcp:0:interface=127.0.0.1").listen(factory)
    say(port=port.getHost().port)
    await Deferred()


react(main)
