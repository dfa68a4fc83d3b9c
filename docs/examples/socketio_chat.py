"""A chat with rooms, for clients of socket.io of any generation; ``socketio_chat.html`` is a page for it.

Copy the page to ``public/index.html``, get the JavaScript client with ``npm install socket.io-client``, have ::

    twistd -n hunchensocket --port 8080 --root public --socketio socketio_chat.io --socketio-client CLIENT

serve both, where CLIENT is ``node_modules/socket.io-client/dist``, and open http://localhost:8080/.
"""

from __future__ import annotations

from hunchensocket_tx.socketio import ConnectRefused, Socket, SocketIO

LONGEST = 40

io = SocketIO(recovery_window=120)


def room_of(name: str) -> str:
    """Return the room in which a conversation is; its name is none that a client made up."""
    return f"room {name}"


def conversation_in(room: str) -> str:
    """Return the name of the conversation that is in a room."""
    return room.removeprefix("room ")


def is_name(value: object) -> bool:
    """Tell whether something that a client sent may be the name of a person or a conversation."""
    return isinstance(value, str) and 0 < len(value.strip()) <= LONGEST


@io.use
def has_a_name(socket: Socket) -> None:
    """Refuse who does not say who they are: in ``auth``, or (clients before 3.0) in the query."""
    name = socket.handshake.auth.get("name") or socket.handshake.query.get("name")
    if not is_name(name):
        raise ConnectRefused("say who you are", {"missing": "name"})
    socket.data["name"] = name


@io.on("connection")
def connection(socket: Socket) -> None:
    """Let a client take part."""
    name = socket.data["name"]
    for room in socket.rooms - {socket.id}:  # it was cut off, and is here again
        socket.to(room).emit("entered", conversation_in(room), name)

    @socket.on("enter")
    async def enter(conversation: str) -> list[str]:
        """Answer with who is there."""
        if not is_name(conversation):
            return []
        room = room_of(conversation)
        if room not in socket.rooms:
            socket.join(room)
            socket.to(room).emit("entered", conversation, name)
        return sorted(other.data["name"] for other in await io.in_(room).fetch_sockets())

    @socket.on("say")
    def say(conversation: str, text: str) -> bool:
        """Tell all who are there, and answer whether that was possible."""
        room = room_of(conversation)
        if room not in socket.rooms or not isinstance(text, str):
            return False
        io.to(room).emit("said", conversation, name, text)
        return True

    @socket.on("typing")
    def typing(conversation: str) -> None:
        if room_of(conversation) in socket.rooms:
            socket.to(room_of(conversation)).volatile.emit("typing", conversation, name)

    @socket.on("disconnecting")
    def disconnecting(reason: str) -> None:
        for room in socket.rooms - {socket.id}:
            socket.to(room).emit("left", conversation_in(room), name)
