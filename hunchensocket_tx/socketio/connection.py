"""One session, and the namespaces that its client is connected to over it."""

from __future__ import annotations

from secrets import token_urlsafe
from typing import Any, Protocol

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from hunchensocket_tx.socketio.adapter import RestoredSession
from hunchensocket_tx.socketio.errors import ConnectRefused, PacketError, UnserializableData
from hunchensocket_tx.socketio.member import BY_CLIENT, BY_SERVER, NEWEST
from hunchensocket_tx.socketio.namespace import Namespace, Owner
from hunchensocket_tx.socketio.recovery import new_private_id
from hunchensocket_tx.socketio.session import Outgoing, Session
from hunchensocket_tx.socketio.socket import Socket
from hunchensocket_tx.socketio.wire.packets import Decoder, Packet, PacketType, Parser
from hunchensocket_tx.timers import Timer
from hunchensocket_tx.wire.events import Message

__all__ = ["Connection", "Host"]

_CONNECT, _DISCONNECT, _EVENT, _ACK, _ = PacketType
REFUSED = "refused"
"""Why a socket ends that has not begun."""


class Host(Owner, Protocol):
    """A SocketIO, as its connections see it."""

    def parser_for(self, protocol: int, message: Message) -> Parser:
        """Return what reads the packets of a client whose first message this is."""

    async def find_namespace(self, name: str, auth: dict[str, Any]) -> Namespace | None:
        """Make a namespace that a client asks for, if there may be one of that name."""


class Connection:
    """What a session's client sends, handed on to its sockets (a SessionListener).

    :param io: the server.
    :param session: the client.
    :param parser: writes and reads its packets; another may be found right when the first one comes.

    :ivar sockets: its sockets, by the names of their namespaces, also those that may not connect yet.
    """

    __slots__ = (
        "_closed",
        "_decoder",
        "_joining",
        "_left",
        "_pieces",
        "_searches",
        "_timer",
        "_waiting",
        "io",
        "parser",
        "session",
        "sockets",
    )

    _log = Logger()

    def __init__(self, io: Host, session: Session, parser: Parser) -> None:
        self.io = io
        self.session = session
        self.parser = parser
        self.sockets: dict[str, Socket] = {}
        self._decoder: Decoder | None = None
        self._pieces = 0  # bytes of a packet that is not complete
        self._waiting = 0  # bytes of events that wait for their turn
        self._joining = (
            0  # namespaces that are being looked for, or ask their middleware, even if it has left since
        )
        self._searches: dict[str, object] | None = None  # those that are being looked for
        self._left: dict[str, None] | None = None  # what it has been taken out of lately, and may not know it yet
        self._timer: Timer | None = None
        self._closed = False

    def open(self) -> None:
        """Begin: clients before 3.x are connected to ``/`` unasked (Socket.IO protocols 4 and older)."""
        if self.session.protocol == NEWEST:
            self._timer = self.io.clock.callLater(self.io.settings.connect_timeout, self._not_connected)
        else:
            self._connect("/", {})

    # From the session

    def message_received(self, message: Message) -> None:
        """Take an Engine.IO message (SessionListener)."""
        decoder = self._decoder or self._first_message(message)
        try:
            packet = decoder.receive(message)
        except PacketError as error:
            self._bad(str(error))
            return
        if packet is None:
            self._pieces += len(message)
            return
        size = self._pieces + len(message)
        self._pieces = 0
        self._take(packet, size)

    def packet_received(self, packet: Packet) -> None:
        """Take a packet of protocol 1 (SessionListener)."""
        self._take(packet, 0)

    def session_closed(self, reason: str) -> None:
        """Take everything down (SessionListener)."""
        self._closed = True
        self._searches = None
        self._stop_timer()
        for socket in tuple(self.sockets.values()):
            socket.end(reason)

    def _first_message(self, message: Message) -> Decoder:
        self.parser = self.io.parser_for(self.session.protocol, message)
        self._decoder = self.parser.decoder()
        return self._decoder

    def _take(self, packet: Packet, size: int) -> None:
        kind = packet.type
        socket = self.sockets.get(packet.namespace)
        if socket is None:
            if kind is _CONNECT:
                self._connect_asked(packet)
            else:
                self._stray(packet)
        elif kind is _EVENT:
            socket.event_received(packet.data, packet.id, size or len(str(packet.data)))
        elif kind is _ACK:
            if packet.id is not None:
                socket.ack_received(packet.id, packet.data)
        elif kind is _DISCONNECT:
            socket.end(BY_CLIENT)
        elif self.session.protocol == NEWEST:
            self._bad("a client has nothing to say in a packet of this type, or not twice")

    def _connect_asked(self, packet: Packet) -> None:
        name = packet.namespace
        if self._closed:
            return
        if self._searches is None or name not in self._searches:
            known = len(self.sockets) + len(self._searches or ())
            if max(known, self._joining) >= self.io.settings.max_namespaces:
                self._refuse(name, {"message": "Too many namespaces"})
                return
            if self._left is not None:
                self._left.pop(name, None)
            self._connect(name, packet.data or {})
        elif self.session.protocol == NEWEST:
            self._bad("the client asks twice for a namespace")

    def _stray(self, packet: Packet) -> None:
        """Take a packet for a namespace that the client is not in; servers before 3.x do not mind."""
        name = packet.namespace
        if self._searches is not None and name in self._searches:
            if packet.type is _DISCONNECT:
                del self._searches[name]
        elif self.session.protocol == NEWEST and (self._left is None or name not in self._left):
            self._bad("a packet for a namespace that the client is not in")

    # Namespaces

    def _connect(self, name: str, auth: dict[str, Any]) -> None:
        mark = object()
        if self._searches is None:
            self._searches = {}
        self._searches[name] = mark
        self._joining += 1
        Deferred.fromCoroutine(self._join(name, auth, mark)).addErrback(self._failed).addCallback(self._joined)

    def _joined(self, _: object) -> None:
        self._joining -= 1

    async def _join(self, name: str, auth: dict[str, Any], mark: object) -> None:
        """Let the client into a namespace, or tell it that it may not.

        :param mark: what stands for this search; it ends when that is gone.
        """
        try:
            namespace = self.io.namespaces.get(name) or await self.io.find_namespace(name, auth)
        except Exception as error:
            reason = self._reason(name, error)
            if self._found(name, mark):
                self._refuse(name, reason)
            return
        if namespace is None:
            if self._found(name, mark):
                self._refuse(name, {"message": "Invalid namespace"})
            return
        namespace.expected += 1
        try:
            await self._enter(namespace, auth, mark)
        finally:
            namespace.expected -= 1
            namespace.drop_if_empty()

    async def _enter(self, namespace: Namespace, auth: dict[str, Any], mark: object) -> None:
        restored = offset = None
        if self.io.settings.recovery_window and self.session.protocol == NEWEST:
            auth = dict(auth)
            offset = auth.pop("offset", None)
            restored = await self._restored(namespace, auth.pop("pid", None), offset)
        if not self._found(namespace.name, mark):
            return
        socket = self.sockets[namespace.name] = self._new_socket(namespace, auth, restored)
        try:
            if restored is None or not self.io.settings.recovery_skips_middleware:
                await namespace.ask_middleware(socket)
                if restored is not None:  # it was not there yet to get what was sent meanwhile
                    namespace.adapter.keep_session(restored.session)
                    restored = await self._restored(namespace, restored.session.pid, offset) or restored
        except Exception as error:
            reason = self._reason(namespace.name, error)
            if socket.is_expected:
                socket.end(REFUSED)
                self._refuse(namespace.name, reason)
            return
        if socket.is_expected:
            self._stop_timer()
            namespace.add(socket)
            socket.begin(restored.missed if restored is not None else ())

    async def _restored(self, namespace: Namespace, pid: object, offset: object) -> RestoredSession | None:
        """Return the socket that the client says it was, if it can be that again."""
        if not isinstance(pid, str) or not isinstance(offset, str):
            return None
        try:
            return await namespace.adapter.restore_session(pid, offset)
        except Exception:
            self._log.failure("a client of {namespace} cannot come back", namespace=namespace)
            return None

    def _found(self, name: str, mark: object) -> bool:
        """End a search, and tell whether the client still waits for it."""
        searches = self._searches
        if searches is None or searches.get(name) is not mark:
            return False
        del searches[name]
        if not searches:
            self._searches = None
        return True

    def _new_socket(self, namespace: Namespace, auth: dict[str, Any], restored: RestoredSession | None) -> Socket:
        session = self.session
        is_new = session.protocol == NEWEST
        handshake = session.handshake.for_namespace(auth, in_query=not is_new) if auth else session.handshake
        if not is_new:
            sid = session.sid if namespace.name == "/" else f"{namespace.name}#{session.sid}"
            return Socket(self, namespace, sid, handshake)
        if restored is None:
            socket = Socket(self, namespace, token_urlsafe(15), handshake)
            if self.io.settings.recovery_window:
                socket.pid = new_private_id()
            return socket
        kept = restored.session
        socket = Socket(self, namespace, kept.sid, handshake)
        socket.restore(kept)
        return socket

    def _reason(self, name: str, error: Exception) -> dict[str, Any]:
        """Return what a client is told of why it may not connect; what is not meant for it is logged."""
        if not isinstance(error, ConnectRefused):
            self._log.failure("it cannot be decided who may connect to {name}", Failure(error), name=name)
            return {"message": "internal error"}
        return {"message": error.message} | ({} if error.data is None else {"data": error.data})

    def _refuse(self, name: str, reason: dict[str, Any]) -> None:
        """Tell the client that it may not connect to a namespace, and why."""
        try:
            messages = self.parser.encode(Packet(PacketType.CONNECT_ERROR, name, reason))
        except UnserializableData:
            self._log.failure("the data of a ConnectRefused cannot be sent")
            reason = {"message": reason["message"]}
            messages = self.parser.encode(Packet(PacketType.CONNECT_ERROR, name, reason))
        self.session.send(Outgoing(messages))

    def left(self, name: str, reason: str) -> None:
        """Forget a socket; it has disconnected."""
        self.sockets.pop(name, None)
        if reason == BY_SERVER and self.session.protocol == NEWEST and not self._closed:
            if self._left is None:
                self._left = {}
            elif len(self._left) >= self.io.settings.max_namespaces:
                del self._left[next(iter(self._left))]
            self._left[name] = None

    # The end

    def waited(self, size: int) -> None:
        """Count the events that wait for their turn.

        :param size: how many bytes more they are, or less.
        """
        self._waiting += size
        if size > 0 and self._waiting > self.io.settings.max_waiting:
            self._log.info("{address}: too many events wait for handlers to end", address=self._address)
            self.close("forced close")

    def disconnect(self) -> None:
        """Disconnect the client from all its namespaces, and end its session."""
        for socket in tuple(self.sockets.values()):
            if self.session.protocol == 1:
                socket.end(BY_SERVER)  # the session tells the client, once
            elif socket.connected:
                socket.dismiss()
        self.close("forced server close")

    def close(self, reason: str) -> None:
        """End the session, and everything with it."""
        self.session.close(reason)
        self.session_closed(reason)

    @property
    def _address(self) -> str:
        return self.session.handshake.address

    def _bad(self, what: str) -> None:
        """Close the session of a client that does not keep to the protocol."""
        if not self._closed:
            self._log.info("{address}: {what}; its session is closed", address=self._address, what=what)
            self.close("parse error")

    def _not_connected(self) -> None:
        self._timer = None
        self.close("forced server close")

    def _stop_timer(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None and timer.active():
            timer.cancel()

    def _failed(self, failure: Failure) -> None:
        self._log.failure("a client could not be let in", failure)
