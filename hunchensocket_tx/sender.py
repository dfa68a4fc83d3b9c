"""The sending side of a connection: from encoded bytes to its transport, past what the transport does not take."""

from __future__ import annotations

from abc import abstractmethod
from enum import Enum
from typing import Any, Protocol

from twisted.internet.interfaces import IReactorTime

from hunchensocket_tx.errors import ConnectionClosed
from hunchensocket_tx.intake import Intake
from hunchensocket_tx.outflow import Outflow
from hunchensocket_tx.settings import Settings
from hunchensocket_tx.vigil import Vigil
from hunchensocket_tx.wire.events import CloseReason, Codec

__all__ = ["Owner", "Sender", "State"]

SMALL = 8192
"""Bytes that are not worth more than to be written, as they are joined with others."""


class State(Enum):
    """The life of a connection, in order."""

    CONNECTING = "the opening handshake is not complete"
    OPEN = "messages may be sent"
    CLOSING = "the closing handshake has begun"
    CLOSED = "the transport is gone"


class Owner(Protocol):
    """Who has made a connection what it is."""

    def stream_ended(self, stream: Any, end: CloseReason) -> None:
        """Take notice that one of its connections is gone."""


class Sender(Intake):
    """What a connection sends with. Connections inherit from it.

    :ivar bytes_sent: how many, behind the head of the opening handshake.
    :ivar messages_sent: how many.
    """

    __slots__ = (
        "_clock",
        "_codec",
        "_outflow",
        "_settings",
        "_state",
        "_transport",
        "_vigil",
        "bytes_sent",
        "messages_sent",
    )

    _vigil: Vigil

    def __init__(self, codec: Codec, settings: Settings, clock: IReactorTime) -> None:
        super().__init__()
        self.bytes_sent = self.messages_sent = 0
        self._codec = codec
        self._settings = settings
        self._clock = clock
        self._state = State.CONNECTING
        self._transport: Any = None
        self._outflow: Outflow | None = None  # while all goes at once, a transport of ours needs none

    def _write(self, data: bytes) -> None:
        self.bytes_sent += len(data)
        outflow = self._outflow
        if outflow is not None and outflow.full:
            outflow.write(data)
            return
        if self._vigil.minds_sending:
            self._vigil.last_sent = self._clock.seconds()
        if len(data) <= SMALL:
            self._transport.write(data)
        else:
            (outflow or self._control_outflow()).write(data)

    def _write_large(self, head: bytes, data: bytes | memoryview) -> None:
        self.bytes_sent += len(head) + len(data)
        if self._vigil.minds_sending:
            self._vigil.last_sent = self._clock.seconds()
        self._control_outflow().write(data, head)

    def _control_outflow(self) -> Outflow:
        """Learn from the transport from now on when it is full, and keep what it does not take."""
        outflow = self._outflow
        if outflow is None:
            outflow = self._outflow = Outflow(
                self._transport,
                self._clock,
                self._settings.send_timeout,
                self._outflow_changed,
                self._outflow_stuck,
            )
            if self._state in (State.CLOSING, State.CLOSED):
                outflow.close(self._connection_closed())
            if outflow.full:
                self._outflow_changed()
        return outflow

    def sending_stalled(self) -> None:
        """Take notice that the transport, one of ours, is full."""
        self._control_outflow().pauseProducing()

    def sending_goes_on(self) -> None:
        """Take notice that something has left a transport of the lane that is full yet: the peer takes it."""
        self._control_outflow().goes_on()
        self._outflow_changed()

    @property
    def _is_full(self) -> bool:
        """Whether the transport takes no more for now."""
        return self._outflow is not None and self._outflow.full

    @property
    def _is_released(self) -> bool:
        """Whether, in the end, the transport has got everything."""
        return self._outflow is None or self._outflow.released

    @abstractmethod
    def _outflow_changed(self) -> None:
        """Take notice that the transport is full, or that something has left it."""

    @abstractmethod
    def _outflow_stuck(self) -> None:
        """Take notice that it has been full for too long."""

    @abstractmethod
    def _connection_closed(self) -> ConnectionClosed:
        """Return what those are told who wait for something of a closed connection."""
