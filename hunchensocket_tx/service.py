"""What ``twistd hunchensocket`` runs: its options, and the services made of them."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from twisted.application.service import IService, MultiService
from twisted.internet.endpoints import SSL4ServerEndpoint, serverFromString
from twisted.internet.interfaces import IStreamServerEndpoint
from twisted.logger import Logger
from twisted.python import usage
from twisted.python.reflect import namedAny
from twisted.web.resource import Resource
from twisted.web.static import File

import twisted
from hunchensocket_tx.acceptor import EndpointAcceptor, tcp_endpoint
from hunchensocket_tx.cascade import Dispatcher
from hunchensocket_tx.demo import add_demo, demo_page
from hunchensocket_tx.errors import InvalidSetting
from hunchensocket_tx.factory import GuardedSite
from hunchensocket_tx.resource import WebSocketResource
from hunchensocket_tx.settings import Settings
from hunchensocket_tx.tls import server_options
from hunchensocket_tx.version import __version__

__all__ = ["Options", "makeService"]

DEFAULT_PORT = 8080

SETTING_OPTIONS = {
    "origins": "origin",
    "websocket_timeout": "timeout",
    "max_message_size": "max-message-size",
    "external_url": "external-url",
    "trusted_proxies": "trusted-proxy",
    "certificate": "certificate",
    "private_key": "private-key",
}
"""Which option gives a setting, to name it when the setting is wrong."""

Value = TypeVar("Value")


class Options(usage.Options):
    """Options of ``twistd hunchensocket``. Whatever is wrong ends the program with one line on stderr."""

    synopsis = "[options]"
    longdesc = (
        "Serve WebSockets, from hixie-76 to RFC 6455. Without --handler, serves the built-in site: a page that "
        "tries an echo at /echo and a chat room at /chat."
    )

    optParameters = [  # noqa: N815
        ["port", "p", None, f"TCP port to listen on; {DEFAULT_PORT} if nothing else is named, 0 for any free one"],
        ["interface", "i", None, "Address to listen on, with --port and --ssl-port; all IPv4 ones by default"],
        ["ssl-port", None, None, "TCP port to listen on with TLS; needs --certificate"],
        ["certificate", "c", None, "PEM file with the certificate for --ssl-port, and its chain behind it"],
        ["private-key", "k", None, "PEM file with its key, if that is not in the certificate's file"],
        ["handler", "H", None, "Dotted name of a dispatcher, say my_project.chat.dispatcher"],
        ["path", None, "/", "Path at and below which the handler is asked"],
        ["root", "r", None, "Folder of static files to serve"],
        [
            "timeout",
            None,
            None,
            "Seconds without a byte after which a WebSocket is closed, 0 for never [default: 300]",
        ],
        ["max-message-size", None, None, "Largest message to accept, in bytes [default: 1048576]"],
        ["external-url", None, None, "Address that clients use, as wss://www.example.com, if a proxy hides it"],
    ]

    optFlags = [["legacy-over-tls-only", None, "Accept hixie-76 over TLS only"]]  # noqa: N815

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self["listen"] = []
        self["origin"] = []
        self["trusted-proxy"] = []
        self.endpoints: list[tuple[str, IStreamServerEndpoint]] = []
        self.dispatcher: Dispatcher | None = None
        self.settings = Settings()

    def opt_listen(self, endpoint: str) -> None:
        """Listen on a Twisted server endpoint, say unix:/run/ws.sock; may be repeated."""
        self["listen"].append(endpoint)

    def opt_origin(self, origin: str) -> None:
        """Let pages of this origin connect, or * for all; may be repeated. By default, those of this server."""
        self["origin"].append(origin)

    def opt_trusted_proxy(self, address: str) -> None:
        """Believe forwarded fields from this address or network, or 'unix'; may be repeated."""
        self["trusted-proxy"].append(address)

    def opt_version(self) -> None:
        """Display the versions of this package and of Twisted, and exit."""
        print(f"hunchensocket_tx {__version__}, Twisted {twisted.__version__}")
        raise SystemExit(0)

    def parseOptions(self, options: Sequence[str] | None = None) -> None:
        """Parse, and end the program with a line that names the option if something is wrong."""
        try:
            super().parseOptions(options)  # type: ignore[no-untyped-call]
        except usage.UsageError as error:
            raise SystemExit(f"twistd hunchensocket: {error}") from None

    def postOptions(self) -> None:
        """Turn options into what they name, as early as twistd can show an error."""
        self.settings = self._settings()
        self.endpoints = list(self._endpoints())
        self.dispatcher = self._dispatcher()
        if not self["path"].startswith("/"):
            raise usage.UsageError(f"--path: give a path that starts with /, not {self['path']!r}")
        if self["path"] != "/" and self.dispatcher is None:
            raise usage.UsageError("--path: it says where --handler is; name a handler, too")
        if self["root"] is not None and not os.path.isdir(self["root"]):
            raise usage.UsageError(f"--root: {self['root']!r} is not a folder")

    def parseArgs(self, *args: str) -> None:
        """Refuse what is no option."""
        if args:
            raise usage.UsageError(f"{args[0]!r} is not an option; see --help")

    def _settings(self) -> Settings:
        origins: Any = self["origin"] or "same"
        changes = {
            "origins": "*" if "*" in origins else origins,
            "trusted_proxies": self["trusted-proxy"],
            "external_url": self["external-url"],
            "legacy_over_tls_only": bool(self["legacy-over-tls-only"]),
            "websocket_timeout": self._number("timeout", float, "a number of seconds"),
            "max_message_size": self._number("max-message-size", int, "a number of bytes"),
        }
        return self._named(
            lambda: Settings(**{name: value for name, value in changes.items() if value is not None})
        )

    def _endpoints(self) -> Any:
        from twisted.internet import reactor

        for description in self["listen"]:
            try:
                yield f"--listen {description}", serverFromString(reactor, description)
            except Exception as error:  # each kind of endpoint raises its own; all say what is wrong
                raise usage.UsageError(
                    f"--listen: {description!r} is not an endpoint: {_one_line(error)}"
                ) from error
        port, ssl_port = self._port("port"), self._port("ssl-port")
        if ssl_port is not None:
            if self["certificate"] is None:
                raise usage.UsageError("--ssl-port: TLS needs a certificate; name its file with --certificate")
            options = self._named(lambda: server_options(self["certificate"], self["private-key"]))
            yield "--ssl-port", SSL4ServerEndpoint(reactor, ssl_port, options, interface=self["interface"] or "")
        elif self["certificate"] is not None or self["private-key"] is not None:
            raise usage.UsageError("--certificate and --private-key are for --ssl-port; name a port for TLS, too")
        if port is None and ssl_port is None and not self["listen"]:
            port = DEFAULT_PORT
        if port is not None:
            yield "--port", tcp_endpoint(reactor, port, self["interface"] or "")

    def _dispatcher(self) -> Dispatcher | None:
        name = self["handler"]
        if name is None:
            return None
        if os.getcwd() not in sys.path:
            sys.path.insert(0, os.getcwd())
        try:
            dispatcher = namedAny(name)
        except (Exception, SystemExit) as error:  # a module may raise anything while it is imported
            raise usage.UsageError(f"--handler: {name!r} cannot be imported: {_one_line(error)}") from error
        if not callable(dispatcher):
            raise usage.UsageError(f"--handler: {name!r} is not a dispatcher, that is, a function of a request")
        checked: Dispatcher = dispatcher
        return checked

    def _port(self, option: str) -> int | None:
        port = self._number(option, int, "a port number from 0 to 65535")
        if port is not None and not 0 <= port <= 65535:
            raise usage.UsageError(f"--{option}: give a port number from 0 to 65535, not {port}")
        return port

    def _number(self, option: str, kind: Callable[[str], Value], wanted: str) -> Value | None:
        if self[option] is None:
            return None
        try:
            return kind(self[option])
        except ValueError:
            raise usage.UsageError(f"--{option}: give {wanted}, not {self[option]!r}") from None

    def _named(self, make: Callable[[], Value]) -> Value:
        """Make something of settings; if one is wrong, name the option that gave it."""
        try:
            return make()
        except InvalidSetting as error:
            setting, _, what = str(error).partition(": ")
            raise usage.UsageError(f"--{SETTING_OPTIONS.get(setting, setting)}: {what}") from error


def makeService(options: Options) -> IService:
    """Return the service that the options ask for (IServiceMaker)."""
    folder = options["root"]
    if options.dispatcher is None:
        top: Resource = File(folder) if folder is not None else demo_page()
        resources = add_demo(top, options.settings)
    else:
        fallback = File(folder) if folder is not None else None
        resources = [WebSocketResource(options.dispatcher, fallback=fallback, settings=options.settings)]
        top = _mounted(resources[0], options["path"], folder)
    services = MultiService()
    for name, endpoint in options.endpoints:
        _OptionAcceptor(name, endpoint, GuardedSite(top, options.settings), *resources).setServiceParent(services)  # type: ignore[no-untyped-call]
    return services


class _OptionAcceptor(EndpointAcceptor):
    """An acceptor that ends the program with a line that names its option, if it cannot listen."""

    _log = Logger()

    def __init__(
        self, option: str, endpoint: IStreamServerEndpoint, factory: GuardedSite, *resources: Any
    ) -> None:
        super().__init__(endpoint, factory, *resources)
        self._option = option

    def _listen(self) -> None:
        try:
            super()._listen()
        except Exception as error:  # each kind of endpoint raises its own; all say what is wrong
            line = f"twistd hunchensocket: {self._option}: {_one_line(error)}"
            if sys.__stderr__ is not None:
                print(line, file=sys.__stderr__)  # twistd has sent sys.stderr to the log
            self._log.critical("{line}", line=line)  # a daemon has no terminal
            raise CannotServe(line) from None


class CannotServe(SystemExit, Exception):
    """Ends twistd with status 1 and no traceback; as it is an Exception, too, a daemon tells its starter."""

    def __init__(self, line: str) -> None:
        super().__init__(line)
        self.code = 1


def _mounted(resource: Resource, path: str, folder: str | None) -> Resource:
    """Return a root that serves a resource at a path, and static files around it if there is a folder of them."""
    names = [name for name in path.split("/") if name]
    if not names:
        return resource
    root = node = _static(folder)
    for name in names[:-1]:
        folder = os.path.join(folder, name) if folder is not None else None
        child = _static(folder)
        node.putChild(name.encode(), child)
        node = child
    node.putChild(names[-1].encode(), resource)
    return root


def _static(folder: str | None) -> Resource:
    return File(folder) if folder is not None else Resource()


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
