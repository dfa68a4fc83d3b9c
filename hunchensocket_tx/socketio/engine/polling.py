"""The HTTP transport of Engine.IO: GETs that wait for packets, and POSTs that bring them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from hunchensocket_tx.socketio.answers import BAD_REQUEST, JSON
from hunchensocket_tx.socketio.engine.exchange import Exchange
from hunchensocket_tx.socketio.engine.session import EngineSession
from hunchensocket_tx.socketio.errors import PayloadError
from hunchensocket_tx.socketio.session import Outgoing
from hunchensocket_tx.socketio.wire.engine import EnginePacket, EngineType
from hunchensocket_tx.socketio.wire.jsonp import SCRIPT, jsonp_answer, jsonp_body

__all__ = ["PollingTransport"]

CLOSE, MESSAGE, NOOP = EngineType.CLOSE, EngineType.MESSAGE, EngineType.NOOP

OVERHEAD = 64
"""Bytes that a packet takes beside its data while it is queued, about."""

PAGE = b"text/html"
"""What POSTs are answered as: scripts send them with a form, and a browser must not offer to save the answer."""


class PollingTransport:
    """Polling, of one session.

    :ivar is_waiting: whether a GET waits for packets.
    """

    name = "polling"

    _log = Logger()
    __slots__ = ("_closing", "_holding", "_queue", "_session", "_size", "_timer", "_waiting")

    def __init__(self, session: EngineSession) -> None:
        self._session = session
        self._waiting: Exchange | None = None
        self._queue: list[Outgoing | EnginePacket] = []
        self._size = 0  # of what is queued
        self._holding = False  # a POST is being read: what it has answered goes out together
        self._closing = False  # who polls next is told that it is over
        self._timer: IDelayedCall | None = None

    # What the session uses (Transport)

    @property
    def is_writable(self) -> bool:
        """Whether a GET waits, and nothing goes before what is sent now."""
        return self._waiting is not None and not self._queue

    @property
    def is_waiting(self) -> bool:
        """Whether a GET waits for packets."""
        return self._waiting is not None

    def send(self, outgoing: Outgoing) -> None:
        """Send a packet of the application's: with the GET that waits, or that comes next.

        :raises UnicodeEncodeError: if it has half of a surrogate pair, which nobody can send, also with others.
        """
        for message in outgoing.messages:
            if isinstance(message, str) and not message.isascii():
                message.encode()
        self._queue.append(outgoing)
        for message in outgoing.messages:
            self._size += len(message) + OVERHEAD
        self._flush_or_check()

    def send_packet(self, packet: EnginePacket) -> None:
        """Send a packet of Engine.IO's own."""
        self._queue.append(packet)
        self._size += len(packet.data) + OVERHEAD
        self._flush_or_check()

    def close(self) -> None:
        """Tell the client, with the GET that waits or the next one, if that comes in time.

        Nothing else is in that answer, as clients of 4.x see its end before the packets of Socket.IO in it.
        """
        if self._waiting is not None and not self._queue:
            self._say_closed()
        else:
            self._closing = True
            server = self._session.server
            self._timer = server.clock.callLater(server.limits.closing_timeout, self._session.forget)

    def drop(self, farewell: EngineType) -> None:
        """Answer the GET that waits; forget what is queued."""
        self._queue = [EnginePacket(farewell)]
        if self._waiting is not None:
            self._flush()
        self._queue = []

    # What comes over HTTP

    def poll(self, exchange: Exchange) -> None:
        """Take a GET: answer it with what there is, or else let it wait."""
        session = self._session
        if self._waiting is not None:
            session.fail("transport error", "it polls twice at a time")
            exchange.answer(BAD_REQUEST.body, JSON, BAD_REQUEST.status)
            return
        session.heard()
        self._waiting = exchange
        if self._queue and not self._holding:
            self._flush()
        elif self._closing and not self._queue:
            self._say_closed()
        else:
            exchange.when_lost(self._poll_lost)
            if session.probe is not None:
                session.probe.poll_waits()

    def receive(self, exchange: Exchange, body: bytes, content_type: str) -> None:
        """Take a POST, and answer it."""
        session = self._session
        session.heard()
        if session.is_open:
            try:
                packets = self._decode(exchange, body, content_type)
            except PayloadError as error:
                session.fail("parse error", f"it sends no payload: {error}")
                exchange.answer(BAD_REQUEST.body, JSON, BAD_REQUEST.status)
                return
            self._deliver(packets)
        exchange.answer(b"ok", PAGE)

    def answer_noop(self) -> None:
        """Answer the GET that waits with nothing, so that the client can stop polling."""
        if self._waiting is not None and not self._queue:
            self._queue.append(EnginePacket(NOOP))
            self._flush()

    def hand_over(self) -> Sequence[Outgoing | EnginePacket]:
        """End polling, as another transport takes its place.

        :returns: what is queued, for that to send.
        """
        queue, self._queue = self._queue, []
        self.answer_noop()
        return queue

    def _decode(self, exchange: Exchange, body: bytes, content_type: str) -> list[EnginePacket]:
        codec = self._session.codec
        if exchange.index is not None:
            return codec.decode_payload(jsonp_body(body).encode(), "text/plain; charset=UTF-8")
        return codec.decode_payload(body, content_type)

    def _deliver(self, packets: list[EnginePacket]) -> None:
        """Give packets to the session; answers to them that are made at once go out together."""
        session = self._session
        self._holding = True
        try:
            for packet in packets:
                session.receive(packet)
        except Exception:
            self._log.failure("{session} is ended, as a packet could not be handled", session=session)
            session.lose("transport error")
        finally:
            self._holding = False
        if self._waiting is not None and self._queue:
            self._flush()

    # Answers to GETs

    def _flush_or_check(self) -> None:
        if self._waiting is not None and not self._holding:
            self._flush()
        elif self._size > self._session.server.limits.max_send_buffer:
            self._session.fail("transport error", f"over {self._size} bytes wait for it to poll")

    def _flush(self) -> None:
        """Answer the GET that waits with all that is queued."""
        exchange, self._waiting = self._waiting, None
        queue, self._queue = self._queue, []
        self._size = 0
        if exchange is None:
            return
        index = exchange.index
        binary = self._session.binary and index is None
        body, content_type = self._encode(queue, binary)
        if index is not None:
            exchange.answer(jsonp_answer(index, body.decode()), SCRIPT.encode())
        else:
            exchange.answer(body, content_type.encode())

    def _encode(self, queue: list[Outgoing | EnginePacket], binary: bool) -> tuple[bytes, str]:
        """Return a payload and its content type; one that is a broadcast and nothing else is made once for all."""
        codec = self._session.codec
        first = queue[0]
        alike = binary or codec.protocol >= 4  # else it depends on what the client has sent
        if alike and len(queue) == 1 and isinstance(first, Outgoing) and first.shared:
            key = ("payload", codec.protocol)
            kept: Any = first.kept.get(key)
            if kept is None:
                kept = first.kept[key] = codec.encode_payload(_packets(queue), binary=binary)
            payload: tuple[bytes, str] = kept
            return payload
        return codec.encode_payload(_packets(queue), binary=binary)

    def _say_closed(self) -> None:
        self._queue.append(EnginePacket(CLOSE))
        self._flush()
        self._stop_timer()
        self._session.forget()

    def _poll_lost(self, exchange: Exchange) -> None:
        """End the session, as a client that closes the connection on which it polls is gone."""
        if self._waiting is exchange:
            self._waiting = None
            self._session.lose("transport error")

    def _stop_timer(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None and timer.active():
            timer.cancel()


def _packets(queue: list[Outgoing | EnginePacket]) -> list[EnginePacket]:
    packets: list[EnginePacket] = []
    for one in queue:
        if isinstance(one, Outgoing):
            packets += [EnginePacket(MESSAGE, message) for message in one.messages]
        else:
            packets.append(one)
    return packets
