"""All options of ``twistd hunchensocket``."""

from __future__ import annotations

from collections.abc import Sequence

from twisted.python import usage

import twisted
from hunchensocket_tx.service.forwarding import ForwardOptions
from hunchensocket_tx.service.limit_options import LimitOptions
from hunchensocket_tx.service.logs import LogOptions
from hunchensocket_tx.service.metrics import MetricsOptions
from hunchensocket_tx.service.socketio import SocketIOOptions
from hunchensocket_tx.service.stopping import StopOptions
from hunchensocket_tx.version import __version__

__all__ = ["Options"]


class Options(SocketIOOptions, ForwardOptions, LimitOptions, LogOptions, MetricsOptions, StopOptions):
    """Options of ``twistd hunchensocket``. Whatever is wrong ends the program with one line on stderr."""

    synopsis = "[options]"
    longdesc = (
        "Serve WebSockets, from hixie-76 to RFC 6455. Without --handler and --forward, serves the "
        "built-in site: a page that tries an echo at /echo and a chat room at /chat, for Socket.IO's "
        "clients at /socket.io/."
    )

    setting_options = {**SocketIOOptions.setting_options, **ForwardOptions.setting_options}

    def opt_version(self) -> None:
        """Display the versions of this package and of Twisted, and exit."""
        print(f"hunchensocket_tx {__version__}, Twisted {twisted.__version__}")
        raise SystemExit(0)

    def parseOptions(self, options: Sequence[str] | None = None) -> None:
        """Parse, and end the program with a line that names the option if something is wrong."""
        try:
            super().parseOptions(options)
        except usage.UsageError as error:
            raise SystemExit(f"twistd hunchensocket: {error}") from None

    def parseArgs(self, *args: str) -> None:
        """Refuse what is no option."""
        if args:
            raise usage.UsageError(f"{args[0]!r} is not an option; see --help")

    def postOptions(self) -> None:
        """Check all groups."""
        self.check()
