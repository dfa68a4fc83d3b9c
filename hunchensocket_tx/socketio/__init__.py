"""A server for the clients of socket.io, from 0.7 to 4.x::

from hunchensocket_tx.socketio import SocketIO, SocketIOResource

io = SocketIO()

@io.on("connection")
def connection(socket):
    @socket.on("say")
    def say(room, text):
        io.to(room).emit("said", text)
    socket.join("lobby")

root.putChild(b"socket.io", SocketIOResource(io))
"""

from hunchensocket_tx.socketio.adapter import Adapter, Audience, Flags
from hunchensocket_tx.socketio.calling import NO_ANSWER
from hunchensocket_tx.socketio.errors import (
    AckTimeout,
    ConnectRefused,
    PacketError,
    PayloadError,
    SocketDisconnected,
    UnserializableData,
)
from hunchensocket_tx.socketio.handshake import Handshake
from hunchensocket_tx.socketio.memory_adapter import MemoryAdapter
from hunchensocket_tx.socketio.namespace import Namespace
from hunchensocket_tx.socketio.operators import BroadcastOperator
from hunchensocket_tx.socketio.remote_socket import RemoteSocket
from hunchensocket_tx.socketio.resource import EngineIOResource, SocketIOResource
from hunchensocket_tx.socketio.server import SocketIO
from hunchensocket_tx.socketio.session import Outgoing, Session, SessionListener
from hunchensocket_tx.socketio.settings import SocketIOSettings
from hunchensocket_tx.socketio.socket import Socket
from hunchensocket_tx.socketio.wire.packets import Packet, PacketType

__all__ = [
    "NO_ANSWER",
    "AckTimeout",
    "Adapter",
    "Audience",
    "BroadcastOperator",
    "ConnectRefused",
    "EngineIOResource",
    "Flags",
    "Handshake",
    "MemoryAdapter",
    "Namespace",
    "Outgoing",
    "Packet",
    "PacketError",
    "PacketType",
    "PayloadError",
    "RemoteSocket",
    "Session",
    "SessionListener",
    "Socket",
    "SocketDisconnected",
    "SocketIO",
    "SocketIOResource",
    "SocketIOSettings",
    "UnserializableData",
]
