"""The program behind ``python -m hunchensocket_tx URL``: talk to any WebSocket server, by hand or in a pipe."""

from __future__ import annotations

import argparse
import os
import re
import signal
import sys
from collections.abc import Sequence
from math import inf
from typing import Any, NoReturn

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.stdio import StandardIO
from twisted.internet.task import LoopingCall
from twisted.python.failure import Failure

from hunchensocket_tx.cascade import as_fields
from hunchensocket_tx.client import connect
from hunchensocket_tx.console import HELP, Console, without_controls
from hunchensocket_tx.errors import PeerError
from hunchensocket_tx.settings import Settings
from hunchensocket_tx.stream import WebSocketStream
from hunchensocket_tx.tls import ClientTLS
from hunchensocket_tx.wire.events import CloseReason

__all__ = ["main"]

PROGRAM = "hunchensocket_tx"

MENDS = {
    "tls=ClientTLS(trust_roots='ca.pem')": "--trust-roots ca.pem",
    "tls=ClientTLS(certificate=...)": "--certificate",
    "tls=ClientTLS(server_name=...)": "--server-name",
    "connect_timeout=...": "--timeout",
    "handshake_timeout=...": "--timeout",
    "origin=...": "--origin",
    "version=": "--version ",
}
"""What the texts of exceptions advise, and which option that is here."""

_SETTING = re.compile(r"\A(trust_roots|certificate|private_key|subprotocol)s?: ")

DESCRIPTION = """\
Talk to a WebSocket server: each line of the standard input is sent as a text message, and each message that
comes is written to the standard output. What else there is to tell goes to the standard error. A line that begins
with / is a command:

"""

EPILOG = """\
At the end of input it closes, after --wait seconds without an answer; so does Ctrl-C, at once. The exit status is
0 after a clean close, 1 after an error, 2 for a wrong option.
"""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}; see --help\n")


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < inf:
        raise argparse.ArgumentTypeError(f"give a number of seconds, not {text!r}")
    return seconds


def _more_than_nothing(text: str) -> float:
    if not (seconds := _seconds(text)):
        raise argparse.ArgumentTypeError("give more than 0 seconds")
    return seconds


def _size(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"give a number of bytes, not {text!r}")
    return int(text)


def _header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon:
        raise argparse.ArgumentTypeError(f"give 'Name: value', not {text!r}")
    try:
        [field] = as_fields([(name, value.strip())])
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return field


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line; if it is wrong, exit with status 2 and a line that names the option."""
    parser = _Parser(
        prog=PROGRAM,
        description=DESCRIPTION + HELP,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("url", help="ws://host:port/path, wss://..., or ws+unix:///run/ws.sock:/path")
    add(
        "--version",
        type=int,
        choices=(13, 8, 7, 76),
        default=13,
        help="of the protocol: 13 is RFC 6455 (%(default)s)",
    )
    add("--subprotocol", action="append", default=[], metavar="NAME", help="to offer; may be repeated, best first")
    add(
        "--header",
        action="append",
        default=[],
        type=_header,
        metavar="'NAME: VALUE'",
        help="to send; may be repeated",
    )
    add("--origin", help="the page to claim to come from")
    add("--user-agent", metavar="TEXT", help="in place of this program's name")
    add(
        "--proxy",
        default="environment",
        metavar="URL",
        help="http, https or socks5; 'none' for none; else the environment's",
    )
    add("--trust-roots", metavar="FILE", help="PEM file with the certificates to trust, in place of the system's")
    add("--server-name", metavar="NAME", help="that the server's certificate is for, if it is not the URL's")
    add("--certificate", metavar="FILE", help="PEM file with our certificate, for servers that want one")
    add("--private-key", metavar="FILE", help="PEM file with its key, if it is not in the same file")
    add("--no-compression", action="store_true", help="do not offer permessage-deflate")
    add("--max-message-size", type=_size, metavar="BYTES", help="largest message to take (1048576)")
    add("--ping", type=_more_than_nothing, metavar="SECONDS", help="ping so often, and tell how long it took")
    add(
        "--timeout",
        type=_more_than_nothing,
        default=15.0,
        metavar="SECONDS",
        help="for connection and handshake each (15)",
    )
    add(
        "--wait",
        type=_seconds,
        default=0.5,
        metavar="SECONDS",
        help="of silence before closing at the end of input (0.5)",
    )
    options = parser.parse_args(arguments)
    if options.version == 76 and options.ping:
        parser.error("argument --ping: hixie-76 has no pings")
    if options.version == 76 and len(options.subprotocol) > 1:
        parser.error("argument --subprotocol: hixie-76 can ask for one only")
    if sys.stdin is None or sys.stdout is None:
        parser.error("standard input and output have to be open: /dev/null will do")
    if options.user_agent is not None:
        options.header.append(("User-Agent", options.user_agent))
    return options


def _settings(options: argparse.Namespace) -> Settings:
    """Return limits and timers; whoever types may think for as long as they like."""
    usual = Settings()
    largest = options.max_message_size or usual.max_message_size
    return Settings(
        connect_timeout=options.timeout,
        handshake_timeout=options.timeout,
        max_message_size=largest,
        max_frame_size=max(largest, usual.max_frame_size),
        slow_peers="wait",
        websocket_timeout=0,
    )


def _tell(text: str) -> None:
    """Write to the standard error what is no message."""
    if sys.stderr is not None:
        print(without_controls(text), file=sys.stderr, flush=True)


def _opened(stream: WebSocketStream) -> str:
    return (
        f"open: version {stream.version}, subprotocol {stream.subprotocol or 'none'}, "
        f"extensions {stream.extensions or 'none'}"
    )


def _closed(end: CloseReason) -> str:
    code = "no code" if end.code == 1005 else str(end.code)
    how = "cleanly" if end.clean else "without a closing handshake"
    return f"closed {how}: {' '.join([code, *end.reason.split()])}"


def _in_options(error: Exception) -> str:
    """Return what an exception says, on one line, and with options for the names that it uses."""
    text = " ".join(str(error).split())
    text = _SETTING.sub(lambda found: f"--{found[1].replace('_', '-')}: ", text)
    for advice, option in MENDS.items():
        text = text.replace(advice, option)
    return text


class _Call:
    """One WebSocket, from the command line to the exit status.

    :ivar status: the exit status.
    """

    def __init__(self, options: argparse.Namespace, reactor: Any) -> None:
        self.status = 1
        self._options = options
        self._reactor = reactor
        self._connecting: Deferred[WebSocketStream] | None = None
        self._stream: WebSocketStream | None = None

    def start(self) -> None:
        """Begin, once the reactor runs and has set its own handlers of signals."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: self._reactor.callFromThread(self.interrupt))
        Deferred.fromCoroutine(self._talk()).addErrback(_confess).addBoth(lambda _: self._reactor.stop())

    def interrupt(self) -> None:
        """Close; if that is under way, go at once."""
        if self._stream is None and self._connecting is not None:
            self._connecting.cancel()
        elif self._stream is not None and self._stream.is_open:
            self._stream.close()
        else:
            self._reactor.stop()

    async def _talk(self) -> None:
        try:
            self._stream = stream = await self._connect()
        except CancelledError:
            _tell(f"{PROGRAM}: given up before it was open")
        except ValueError as error:  # a setting or the URL, that is, an option
            _tell(f"{PROGRAM}: {_in_options(error)}")
            self.status = 2
        except PeerError as error:
            _tell(f"{PROGRAM}: {_in_options(error)}")
        else:
            await self._converse(stream)

    def _connect(self) -> Deferred[WebSocketStream]:
        options = self._options
        self._connecting = connect(
            options.url,
            version=options.version,
            subprotocols=options.subprotocol,
            headers=options.header,
            origin=options.origin,
            offers=() if options.no_compression else None,
            tls=ClientTLS(options.trust_roots, options.certificate, options.private_key, options.server_name),
            proxy=None if options.proxy == "none" else options.proxy,
            settings=_settings(options),
        )
        return self._connecting

    async def _converse(self, stream: WebSocketStream) -> None:
        _tell(_opened(stream))
        console = Console(stream, _tell, self._reactor, patience=self._options.wait, harmless=sys.stdout.isatty())
        pinging = LoopingCall(console.ping)
        if self._options.ping:
            pinging.start(self._options.ping)
        StandardIO(console, reactor=self._reactor)
        async for message in stream:
            console.show(message)
        if pinging.running:
            pinging.stop()
        end = await stream.when_closed()
        await console.finish()
        _tell(_closed(end))
        self.status = 1 if console.failed or not end.clean else 0


def _confess(failure: Failure) -> None:
    failure.printTraceback(sys.stderr)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program, and return its exit status.

    :param arguments: in place of the command line.
    :raises SystemExit: for wrong options, with status 2, and after ``--help``.
    """
    options = _options(arguments)
    from twisted.internet import reactor as running

    reactor: Any = running
    call = _Call(options, reactor)
    reactor.callWhenRunning(call.start)
    blocking = [os.get_blocking(number) for number in (0, 1)] if os.name == "posix" else []
    try:
        reactor.run()
    finally:  # the shell that we leave may share them
        for number, value in enumerate(blocking):
            os.set_blocking(number, value)
    return call.status
