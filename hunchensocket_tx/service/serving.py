"""What is served: a handler or the built-in site, static files, and under which settings."""

from __future__ import annotations

import os
from typing import Any

from twisted.python import usage
from twisted.web.resource import Resource
from twisted.web.static import File

from hunchensocket_tx.cascade import Dispatcher
from hunchensocket_tx.demo import add_demo, demo_page
from hunchensocket_tx.resource import WebSocketResource
from hunchensocket_tx.service.group import OptionGroup
from hunchensocket_tx.settings import Settings

__all__ = ["ServeOptions", "static"]


class ServeOptions(OptionGroup):
    """Options that say what is served.

    :ivar dispatcher: the handler that was named, if one was.
    :ivar settings: limits, timers, origins.
    """

    optParameters = [  # noqa: N815
        ["handler", "H", None, "Dotted name of a dispatcher, say my_project.chat.dispatcher"],
        ["path", None, "/", "Path at and below which the handler, or what is forwarded, is"],
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

    setting_options = {
        "origins": "origin",
        "websocket_timeout": "timeout",
        "trusted_proxies": "trusted-proxy",
    }

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self["origin"] = []
        self["trusted-proxy"] = []
        self.dispatcher: Dispatcher | None = None
        self.settings = Settings()

    def opt_origin(self, origin: str) -> None:
        """Let pages of this origin connect, or * for all; may be repeated. By default, those of this server."""
        self["origin"].append(origin)

    def opt_trusted_proxy(self, address: str) -> None:
        """Believe forwarded fields from this address or network, or 'unix'; may be repeated."""
        self["trusted-proxy"].append(address)

    def check(self) -> None:
        """Find the handler and the folder, and make the settings."""
        super().check()
        changes = {name: value for name, value in self.setting_changes().items() if value is not None}
        self.settings = self.named(lambda: Settings(**changes))
        self.dispatcher = self.make_dispatcher()
        if not self["path"].startswith("/"):
            raise usage.UsageError(f"--path: give a path that starts with /, not {self['path']!r}")
        if self["path"] != "/" and self.dispatcher is None:
            raise usage.UsageError("--path: it says where --handler or --forward is; name one, too")
        self.check_folder("root")

    def setting_changes(self) -> dict[str, Any]:
        """Return the settings that options give, or None; other groups may add theirs."""
        origins: Any = self["origin"] or "same"
        return {
            **super().setting_changes(),
            "origins": "*" if "*" in origins else origins,
            "trusted_proxies": self["trusted-proxy"],
            "external_url": self["external-url"],
            "legacy_over_tls_only": bool(self["legacy-over-tls-only"]),
            "websocket_timeout": self.number("timeout", float, "a number of seconds"),
            "max_message_size": self.number("max-message-size", int, "a number of bytes"),
        }

    def make_site(self) -> tuple[Resource, list[WebSocketResource]]:
        """Return the root resource, and the resources in it that have WebSockets."""
        folder = self["root"]
        if self.dispatcher is None:
            top: Resource = File(folder) if folder is not None else demo_page()
            return top, self.add_demo(top)
        fallback = File(folder) if folder is not None else None
        resource = WebSocketResource(self.dispatcher, fallback=fallback, settings=self.settings)
        return _mounted(resource, self["path"], folder), [resource]

    def add_demo(self, top: Resource) -> list[WebSocketResource]:
        """Put the built-in site below a root resource, and return what of it has WebSockets."""
        return add_demo(top, self.settings)

    def make_dispatcher(self) -> Dispatcher | None:
        """Return the handler that is named; None if none is."""
        dispatcher = self.imported("handler")
        if dispatcher is not None and not callable(dispatcher):
            name = self["handler"]
            raise usage.UsageError(f"--handler: {name!r} is not a dispatcher, that is, a function of a request")
        checked: Dispatcher | None = dispatcher
        return checked


def _mounted(resource: Resource, path: str, folder: str | None) -> Resource:
    """Return a root that serves a resource at a path, and static files around it if there is a folder of them."""
    names = [name for name in path.split("/") if name]
    if not names:
        return resource
    root = node = static(folder)
    for name in names[:-1]:
        folder = os.path.join(folder, name) if folder is not None else None
        child = static(folder)
        node.putChild(name.encode(), child)
        node = child
    node.putChild(names[-1].encode(), resource)
    return root


def static(folder: str | None) -> Resource:
    """Return a resource that serves a folder, or nothing but what is hung on it."""
    return File(folder) if folder is not None else Resource()
