"""Messages for those who ask for them one by one, instead of having a handler called."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import Deferred, fail, succeed

from hunchensocket_tx.errors import ConnectionClosed, MisuseError
from hunchensocket_tx.wire.events import Message

__all__ = ["Inbox"]


class Inbox:
    """Hands out one message at a time: the next is let in when it is asked for.

    So reading waits for who asks, and what is done with a message is done before the next, or the end, is seen.

    :ivar source: if it is set, the next message is taken from there, too, instead of being put in: it returns that
        if it has come already, else None. It is not called before a message was put in, nor after it was said that
        this one is done with.
    """

    source: Callable[[], Message | None] | None = None

    def __init__(self) -> None:
        self._message: Message | None = None
        self._in_work = False  # the last message that was put in, or one of those behind it
        self._finished: Deferred[None] | None = None
        self._taker: Deferred[Message] | None = None
        self._end: ConnectionClosed | None = None
        self._discarding = False

    def put(self, message: Message) -> Deferred[None] | None:
        """Offer a message, as a message handler.

        :returns: a Deferred that fires when the message was taken and the next is asked for; None if it is so
            already, or if messages are discarded.
        """
        if self._discarding:
            return None
        self._in_work = True
        if self._taker is None:
            self._message = message
        else:
            taker, self._taker = self._taker, None
            taker.callback(message)
            if not self._in_work:
                return None
        self._finished = Deferred()
        return self._finished

    def take(self) -> Message | None:
        """Take the next message if it is at hand; else return None, and :meth:`get` has to be called."""
        if self._message is not None:
            message, self._message = self._message, None
            return message
        return self.source() if self._in_work and self.source is not None else None

    def get(self) -> Deferred[Message]:
        """Take the next message.

        :returns: a Deferred of it. It fails with :class:`ConnectionClosed` when there will be none any more.
        :raises MisuseError: if somebody is waiting for a message already.
        """
        if self._taker is not None:
            raise MisuseError("somebody is waiting for the next message already; only one can")
        message = self.take()
        if message is None:
            self._release()  # lets the next one in, if it has come already
            message = self.take()
        if message is not None:
            return succeed(message)
        if self._end is not None:
            return fail(self._end)
        self._taker = Deferred(self._forget_taker)
        return self._taker

    def end(self, error: ConnectionClosed) -> None:
        """Tell that no message will be put in any more."""
        self._end = error
        if self._taker is not None:
            taker, self._taker = self._taker, None
            taker.errback(error)

    def discard(self) -> None:
        """Drop the message at hand and all that will come, as nobody is going to ask."""
        self._discarding = True
        self._message = None
        self._release()

    def _release(self) -> None:
        self._in_work = False
        finished, self._finished = self._finished, None
        if finished is not None:
            finished.callback(None)

    def _forget_taker(self, _: object) -> None:
        self._taker = None
