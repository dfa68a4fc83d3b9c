"""Lines in, messages out: an open WebSocket at the standard input and output of a program."""

from __future__ import annotations

import re
from collections.abc import Callable

from twisted.internet.defer import Deferred
from twisted.internet.defer import TimeoutError as DeferredTimeout
from twisted.internet.interfaces import (
    IDelayedCall,
    IHalfCloseableProtocol,
    IPushProducer,
    IReactorTime,
)
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from hunchensocket_tx.errors import ConnectionClosed, MisuseError
from hunchensocket_tx.stream import WebSocketStream
from hunchensocket_tx.wire.events import Message

__all__ = ["HELP", "Console", "without_controls"]

HELP = """\
/ping                   ask for a sign of life, and tell how long it took
/binary 00 ff ...       send bytes, given as hex; those that come are shown like this, too
/close [CODE [REASON]]  close, with 1000 or this code
/help                   this
//text                  send /text"""

_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def without_controls(text: str) -> str:
    """Return a text that does nothing to a terminal: control characters are spelt out, but tab and newline."""
    return _CONTROLS.sub(lambda found: f"\\x{ord(found[0]):02x}", text)


@implementer(IHalfCloseableProtocol, IPushProducer)
class Console(Protocol):
    """Sends each line as a text message, and shows each message that comes; lines that begin with / are commands.

    Its transport is ``twisted.internet.stdio.StandardIO``, or like it. It pauses reading lines while the server is
    slow, and messages while who reads the output is.

    :param stream: the WebSocket, open.
    :param tell: gets what is no message, line by line.
    :param clock: where timers run.
    :param patience: seconds of silence to wait for after the end of input, before closing.
    :param harmless: whether to make control characters visible, as for a terminal.

    :ivar failed: whether a line could not be sent.
    :ivar gone: a Deferred that fires when all that was shown has been taken by who reads it, or nobody does.
    """

    def __init__(
        self,
        stream: WebSocketStream,
        tell: Callable[[str], None],
        clock: IReactorTime,
        *,
        patience: float = 0.5,
        harmless: bool = False,
    ) -> None:
        self.failed = False
        self.gone: Deferred[None] = Deferred()
        self._stream = stream
        self._tell = tell
        self._clock = clock
        self._patience = patience
        self._harmless = harmless
        self._line: list[bytes] = []  # what has come of it
        self._ending: IDelayedCall | None = None

    # Input

    def connectionMade(self) -> None:
        """Tie the flow at both ends together (IProtocol)."""
        assert self.transport is not None
        self.transport.registerProducer(self._stream, True)  # type: ignore[attr-defined]
        self._stream.registerProducer(self, True)

    def dataReceived(self, data: bytes) -> None:
        """Take lines, or parts of them (IProtocol)."""
        first, *others = data.split(b"\n")
        self._line.append(first)
        for other in others:
            line, self._line = b"".join(self._line), [other]
            self.take(line)

    def readConnectionLost(self) -> None:
        """Close when nothing has come for a while, as this is the end of input (IHalfCloseableProtocol)."""
        line, self._line = b"".join(self._line), []
        if line:
            self.take(line)
        if self._stream.is_open:
            self._ending = self._clock.callLater(self._patience, self._end)

    def take(self, line: bytes) -> None:
        """Send a line, or do what it commands; tell if neither can be. Once closing has begun, do nothing."""
        if not self._stream.is_open:
            return
        try:
            text = line.decode()
            if text.startswith("/") and not text.startswith("//"):
                self._obey(*text[1:].split(None, 1))
            else:
                self._stream.send(text.removeprefix("/"))
        except UnicodeDecodeError:
            self._complain("a line is not UTF-8, and was not sent: /binary sends any bytes, given as hex")
        except MisuseError as error:
            self._complain(str(error))

    def _obey(self, name: str = "", rest: str = "") -> None:
        if name == "ping":
            self.ping()
        elif name == "binary":
            self._stream.send(_from_hex(rest))
        elif name == "close":
            code, _, reason = rest.partition(" ")
            if code and not code.isdecimal():
                raise MisuseError(f"/close: {code!r} is no close code; say /close 4001 why")
            self._stream.close(int(code or 1000), reason)
        elif name == "help":
            self._tell(HELP)
        else:
            raise MisuseError(f"/{name} is no command, and was not sent: /help lists them, //{name} sends it")

    def _complain(self, text: str) -> None:
        self.failed = True
        self._tell(text)

    def _end(self) -> None:
        self._ending = None
        self._stream.close()

    # Pings

    def ping(self) -> None:
        """Ask for a sign of life, and tell of it.

        :raises UnsupportedMessage: if this connection's version has no pings.
        """
        self._stream.ping().addCallbacks(self._ponged, self._unanswered)

    def _ponged(self, seconds: float) -> None:
        self._hear()
        self._tell(f"pong after {seconds * 1000:.3g} ms")

    def _unanswered(self, failure: Failure) -> None:
        if failure.trap(DeferredTimeout, ConnectionClosed) is DeferredTimeout:
            self._complain("no pong in time")

    # Output

    def show(self, message: Message) -> None:
        """Write a message as a line; bytes as the command that would send them."""
        self._hear()
        text = message if isinstance(message, str) else f"/binary {message.hex(' ')}"
        if self.transport is not None:
            self.transport.write(f"{without_controls(text) if self._harmless else text}\n".encode())

    def finish(self) -> Deferred[None]:
        """Let who reads take what was shown, as no message will come any more; return ``gone``."""
        self._stop_waiting()
        if self.transport is not None and not self.gone.called:
            self.transport.unregisterProducer()  # type: ignore[attr-defined]  # else a paused one is waited for
            self.transport.loseConnection()
        return self.gone

    def writeConnectionLost(self) -> None:
        """Nobody reads any more: close (IHalfCloseableProtocol)."""
        self._stream.close(1001)
        if not self.gone.called:
            self.gone.callback(None)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """All is written (IProtocol)."""
        self.writeConnectionLost()

    def _hear(self) -> None:
        if self._ending is not None:
            self._ending.reset(self._patience)

    def _stop_waiting(self) -> None:
        ending, self._ending = self._ending, None
        if ending is not None:
            ending.cancel()

    # What the stream calls while the server is slow

    def pauseProducing(self) -> None:
        """Read no lines for now (IPushProducer)."""
        self.transport.pauseProducing()  # type: ignore[union-attr]

    def resumeProducing(self) -> None:
        """Read on (IPushProducer)."""
        self.transport.resumeProducing()  # type: ignore[union-attr]

    def stopProducing(self) -> None:
        """Read no more lines, as the WebSocket is closing (IPushProducer)."""
        self.pauseProducing()


def _from_hex(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise MisuseError(f"/binary: {text!r} is not hex; say /binary 00 ff") from None
