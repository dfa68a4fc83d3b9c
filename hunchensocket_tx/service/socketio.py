"""Socket.IO: an application that is served at ``/socket.io/``, beside all else."""

from __future__ import annotations

from typing import Any

from twisted.python import usage
from twisted.web.resource import Resource

from hunchensocket_tx.demo import add_demo
from hunchensocket_tx.resource import WebSocketResource
from hunchensocket_tx.service.serving import ServeOptions, static
from hunchensocket_tx.service.workers import WorkerOptions
from hunchensocket_tx.socketio import SocketIO, SocketIOResource
from hunchensocket_tx.socketio.settings import TRANSPORTS

__all__ = ["SocketIOOptions"]


class SocketIOOptions(WorkerOptions, ServeOptions):
    """Options of what is served, with those of Socket.IO.

    A client that polls must reach the same process each time, which workers that share a port cannot promise.

    :ivar socketio: the application that was named, if one was.
    """

    optParameters = [  # noqa: N815
        ["socketio", None, None, "Dotted name of a SocketIO, say my_project.chat.io, to serve at /socket.io/"],
        ["socketio-client", None, None, "Folder with the JavaScript client, to serve it at /socket.io/, too"],
    ]

    def __init__(self) -> None:
        super().__init__()
        self.socketio: SocketIO | None = None

    def check(self) -> None:
        """Find the application and the folder."""
        super().check()
        self.check_folder("socketio-client")
        if self["socketio-client"] is not None and self["socketio"] is None and self.dispatcher is not None:
            raise usage.UsageError("--socketio-client: it is served with an application; name one with --socketio")
        application = self.imported("socketio")
        if application is not None and not isinstance(application, SocketIO):
            raise usage.UsageError(f"--socketio: {self['socketio']!r} is not a SocketIO")
        self.socketio = application
        polled = application is not None and "polling" in application.settings.transports
        if polled and self["workers"] is not None:
            raise usage.UsageError(
                "--workers: a client of Socket.IO that polls must reach the same process each time; have "
                "SocketIO(transports=['websocket']) serve, or leave --workers out"
            )

    def make_site(self) -> tuple[Resource, list[WebSocketResource]]:
        """Return the root resource, and the resources in it that have WebSockets."""
        if self.socketio is None:
            return super().make_site()  # perhaps with the built-in chat
        resources: list[WebSocketResource] = []
        top = static(self["root"])
        if self.dispatcher is not None:
            handler, resources = super().make_site()
            top = _Above(handler)
        resource = SocketIOResource(self.socketio, client=self["socketio-client"], settings=self.settings)
        top.putChild(b"socket.io", resource)
        return top, [*resources, resource]

    def add_demo(self, top: Resource) -> list[WebSocketResource]:
        """Put the built-in site below a root resource, whose chat is at /socket.io/, too."""
        transports = TRANSPORTS if self.worker_count is None and self.orders is None else ("websocket",)
        return add_demo(top, self.settings, io=SocketIO(transports=transports), client=self["socketio-client"])


class _Above(Resource):
    """A root that another resource stands in for, but for what is hung on this one."""

    def __init__(self, other: Resource) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._other = other

    def getChild(self, path: bytes, request: Any) -> Any:
        """Let the other resource have the request, as if this were not there (IResource)."""
        if self._other.isLeaf:
            request.prepath.pop()
            request.postpath.insert(0, path)
            return self._other
        return self._other.getChildWithDefault(path, request)
