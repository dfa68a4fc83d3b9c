"""The programming model: ``request -> (stream, mutex) -> message``, a cascade of closures.

A dispatcher looks at a request and returns a handshake handler if it takes it. The handshake handler gets the
open stream and a mutex, and returns the message handler. Every step may be an ordinary function, may return a
Deferred, or may be a coroutine function. While a handler runs, and in the coroutines and ``inlineCallbacks`` it
starts, its stream and mutex are also at hand as :func:`current_stream` and :func:`current_mutex`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextvars import ContextVar, copy_context
from dataclasses import dataclass
from functools import partial
from inspect import iscoroutine, isgenerator
from typing import Any, ParamSpec, TypeVar

from twisted.internet.defer import Deferred, DeferredLock
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.server import Request

from hunchensocket_tx.errors import ConnectionClosed, NoCurrentStream
from hunchensocket_tx.stream import WebSocketStream
from hunchensocket_tx.wire.events import Message
from hunchensocket_tx.wire.opening import HeaderFields, check_extra_headers

__all__ = [
    "Accept",
    "Decision",
    "Dispatcher",
    "HandshakeHandler",
    "Headers",
    "MessageHandler",
    "Reject",
    "as_fields",
    "carry",
    "current_mutex",
    "current_stream",
    "decide",
    "default_websocket_handler",
    "dispatch",
    "run_cascade",
    "send_message",
    "send_term",
    "websocket_handlers",
]

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")

MessageHandler = Callable[[Any], Any]
"""Takes a message; may return a Deferred or coroutine, during which no other message is handled."""

HandshakeHandler = Callable[[WebSocketStream, DeferredLock], Any]
"""Takes an open stream and its mutex; returns a message handler, a Deferred or coroutine of one, or None."""

Dispatcher = Callable[[Request], Any]
"""Takes a request; returns None, a handshake handler, Accept or Reject, or a Deferred or coroutine of these."""

Headers = Mapping[str, str] | Iterable[tuple[str, str]]
"""Header fields as applications give them."""

_stream: ContextVar[WebSocketStream] = ContextVar("hunchensocket_tx stream")
_log = Logger()


def as_fields(headers: Headers) -> HeaderFields:
    """Return fields that an application adds to the handshake's as pairs.

    :raises ValueError: for one that belongs to the handshake or is malformed.
    """
    return check_extra_headers(headers.items() if isinstance(headers, Mapping) else headers)


@dataclass(frozen=True)
class Accept:
    """A dispatcher's yes.

    :ivar handshake: the handshake handler.
    :ivar subprotocol: one of those that the client offered (see :func:`offered_subprotocols`), or None.
    :ivar headers: more fields for the answer, a mapping or pairs, such as ``Set-Cookie``.
    :ivar pieces: whether the message handler is to get each message as an :class:`IncomingMessage`, at its start.
    :raises ValueError: if a header belongs to the handshake or is malformed.
    :raises TypeError: if the handshake handler cannot be called.
    """

    handshake: HandshakeHandler
    subprotocol: str | None = None
    headers: Headers = ()
    pieces: bool = False

    def __post_init__(self) -> None:
        if not callable(self.handshake):
            raise TypeError(
                f"{self.handshake!r} is not a handshake handler, that is, a function of stream and mutex"
            )
        if self.headers:
            object.__setattr__(self, "headers", as_fields(self.headers))


@dataclass(frozen=True)
class Reject:
    """A dispatcher's no, as an HTTP answer.

    :ivar status: HTTP status code, from 300 to 599.
    :ivar body: what to say; text is sent as UTF-8 and, unless a header says otherwise, as plain text.
    :ivar headers: more fields, a mapping or pairs, such as ``WWW-Authenticate``.
    :raises ValueError: if the status means no refusal, or a header is malformed.
    """

    status: int = 403
    body: str | bytes = b""
    headers: Headers = ()

    def __post_init__(self) -> None:
        if not 300 <= self.status <= 599:
            raise ValueError(f"{self.status} is not the status of a refusal: give one from 300 to 599")
        if self.headers:
            object.__setattr__(self, "headers", as_fields(self.headers))


Decision = Accept | Reject | None

websocket_handlers: list[Dispatcher] = []
"""The shared list of dispatchers, for resources that have none of their own."""


async def default_websocket_handler(request: Request) -> Decision:
    """Ask the dispatchers of :data:`websocket_handlers` in order; a dispatcher itself."""
    return await dispatch(request, tuple(websocket_handlers))


async def dispatch(request: Request, dispatchers: Sequence[Dispatcher]) -> Decision:
    """Ask dispatchers in order until one decides; see :func:`decide`."""
    decision = decide(request, dispatchers)
    return await decision if isinstance(decision, Deferred) else decision


def decide(request: Request, dispatchers: Sequence[Dispatcher]) -> Decision | Deferred[Decision]:
    """Ask dispatchers in order until one decides.

    :returns: its decision, or None if nobody takes the request; a Deferred of that if one takes its time.
    :raises TypeError: if a dispatcher returns what is none of the things it may return.
    """
    for index, dispatcher in enumerate(dispatchers):
        answer = dispatcher(request)
        if isinstance(answer, Deferred) or iscoroutine(answer):
            return Deferred.fromCoroutine(_decide_later(answer, request, dispatchers[index:]))
        decision = _as_decision(answer, dispatcher)
        if decision is not None:
            return decision
    return None


async def _decide_later(answer: Any, request: Request, dispatchers: Sequence[Dispatcher]) -> Decision:
    """Await the first dispatcher's answer; ask the others if it is not for the first to decide."""
    first, *others = dispatchers
    decision = _as_decision(await answer, first)
    for dispatcher in others:
        if decision is not None:
            break
        answer = dispatcher(request)
        if isinstance(answer, Deferred) or iscoroutine(answer):
            answer = await answer
        decision = _as_decision(answer, dispatcher)
    return decision


def _as_decision(answer: Any, dispatcher: Dispatcher) -> Decision:
    if answer is None or isinstance(answer, (Accept, Reject)):
        return answer
    if callable(answer):
        return Accept(answer)
    raise TypeError(
        f"the dispatcher {dispatcher!r} returned {answer!r}: a handshake handler (a function of stream "
        "and mutex), Accept, Reject or None is wanted"
    )


def current_stream() -> WebSocketStream:
    """Return the stream whose handler is running.

    :raises NoCurrentStream: outside of handlers. Callbacks that a plain Deferred, a timer or a thread runs are
        outside; :func:`carry` takes them in.
    """
    try:
        return _stream.get()
    except LookupError:
        raise NoCurrentStream(
            "no handler is running here: name the stream, or wrap this callback in carry() where it is made"
        ) from None


def current_mutex() -> DeferredLock:
    """Return the mutex of the stream whose handler is running.

    :raises NoCurrentStream: as :func:`current_stream`.
    """
    return current_stream().mutex


def carry(function: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """Return the function such that the current stream and mutex will be current whenever it is called.

    For callbacks that run outside of handlers: ``deferred.addCallback(carry(function))``.
    """
    context = copy_context()

    def carried(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
        return context.copy().run(function, *args, **kwargs)

    return carried


def send_message(
    message: Message, stream: WebSocketStream | None = None, mutex: DeferredLock | None = None
) -> Deferred[bool]:
    """Send a message when the mutex is free, by default with the current stream and mutex.

    Who holds the mutex already uses ``stream.send``.

    :returns: a Deferred of what :meth:`WebSocketStream.send` returns; it fails with what that raises.
    :raises NoCurrentStream: if there is neither a stream named nor a current one.
    """
    stream, mutex = _given_or_current(stream, mutex)
    return mutex.run(stream.send, message)


def send_term(stream: WebSocketStream | None = None, mutex: DeferredLock | None = None) -> Deferred[None]:
    """Start the closing handshake when the mutex is free, by default with the current stream and mutex.

    :raises NoCurrentStream: if there is neither a stream named nor a current one.
    """
    stream, mutex = _given_or_current(stream, mutex)
    return mutex.run(stream.close)


def _given_or_current(
    stream: WebSocketStream | None, mutex: DeferredLock | None
) -> tuple[WebSocketStream, DeferredLock]:
    if stream is None:
        return current_stream(), mutex or current_mutex()
    return stream, mutex or stream.mutex


def run_cascade(stream: WebSocketStream, handshake: HandshakeHandler) -> None:
    """Let a handshake handler, and the message handler it returns, have a stream, as soon as that is open."""
    run = _Run(stream)
    stream.attach(partial(run.opened, handshake), run.received)


def _discard(message: object) -> None:
    """Handle the messages of those who do not want any."""


class _Run:
    """One cascade at work on one stream."""

    __slots__ = ("context", "handler", "stream")

    def __init__(self, stream: WebSocketStream) -> None:
        self.stream = stream
        self.handler: MessageHandler = _discard
        self.context = copy_context()
        self.context.run(_stream.set, stream)

    def opened(self, handshake: HandshakeHandler) -> Deferred[Any] | None:
        """Run the handshake handler and keep what it returns."""
        pending = self._call(handshake, self.stream, self.stream.mutex)
        if isinstance(pending, Deferred):
            return pending.addCallback(self._keep, handshake).addErrback(self._failed)
        self._keep(pending, handshake)
        return None

    def received(self, message: Message) -> Deferred[Any] | None:
        """Run the message handler."""
        try:
            result = self.context.run(self.handler, message)
        except Exception:
            self._failed(Failure())
            return None
        if result is None or result is True or result is False:
            return None
        pending = self._as_pending(result, self.handler)
        return pending.addErrback(self._failed) if isinstance(pending, Deferred) else None

    def _call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Call a handler in its context; a coroutine is started, and becomes a Deferred."""
        try:
            result = self.context.run(function, *arguments)
        except Exception:
            return self._failed(Failure())
        return self._as_pending(result, function)

    def _as_pending(self, result: Any, function: Callable[..., Any]) -> Any:
        """Return a handler's result; if it is a coroutine, start that, and return its Deferred."""
        if iscoroutine(result):
            return self.context.run(partial(Deferred.fromCoroutine, result))
        if isgenerator(result):
            error = TypeError(
                f"{function!r} is a generator function; decorate it with inlineCallbacks, or use async"
            )
            return self._failed(Failure(error))
        return result

    def _keep(self, handler: object, handshake: HandshakeHandler) -> None:
        self.stream.let_request_go()
        if callable(handler):
            self.handler = handler
            return
        if handler is None or isinstance(handler, bool):
            return  # it wants no messages; a bool is what a lambda returns that sends one
        error = TypeError(f"the handshake handler {handshake!r} returned {handler!r}, not a message handler")
        self._failed(Failure(error))

    def _failed(self, failure: Failure) -> None:
        """Close this connection, and no other; quietly if the handler only found it closed."""
        self.handler = _discard
        if failure.check(ConnectionClosed) and not self.stream.is_open:
            _log.debug("a handler of {stream} met its end: {error}", stream=self.stream, error=failure.value)
        else:
            _log.failure("a handler of {stream} failed; the connection is closed", failure, stream=self.stream)
        self.stream.close(1011, "internal error")
