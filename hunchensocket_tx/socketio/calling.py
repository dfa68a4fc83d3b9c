"""Calling what the application gave: functions that return values, Deferreds or coroutines, and may fail."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from inspect import iscoroutine, isgenerator
from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

__all__ = ["NO_ANSWER", "Handler", "call_all", "settled", "until_done"]

Handler = Callable[..., Any]
"""Takes an event's arguments; returns a value, or a Deferred or coroutine of one."""

NO_ANSWER: Final = object()
"""What a handler returns that does not answer; also instead of the value of one that failed."""

_log = Logger()


def until_done(result: Any) -> Deferred[Any] | None:
    """Return a Deferred of what a function is still at work on; a coroutine is started.

    :param result: what the function returned.
    :returns: None if it is the value already.
    :raises TypeError: for a generator, which is what ``inlineCallbacks`` makes a Deferred of.
    """
    if isinstance(result, Deferred):
        return result
    if iscoroutine(result):
        return Deferred.fromCoroutine(result)
    if isgenerator(result):
        raise TypeError(f"{result!r} is a generator: decorate its function with inlineCallbacks, or use async")
    return None


async def settled(result: Any) -> Any:
    """Return the value that a function returned, at once or later."""
    pending = until_done(result)
    return result if pending is None else await pending


def call_all(handlers: Sequence[Handler], arguments: Sequence[Any], catch_all: Sequence[Handler] = ()) -> Any:
    """Call the handlers of an event; those that fail are logged.

    :param arguments: the event's name, and its arguments.
    :param catch_all: handlers that are called before, and get the name, too.
    :returns: the first value that is not None; if there is none, NO_ANSWER if a handler failed or returned that,
        else None; a Deferred of it, which does not fail, if a handler takes its time.
    """
    if len(handlers) == 1 and not catch_all:
        return _call(handlers[0], arguments[1:])
    results = [_call(handler, arguments) for handler in catch_all]
    results += [_call(handler, arguments[1:]) for handler in handlers]
    if any(isinstance(result, Deferred) for result in results):
        return Deferred.fromCoroutine(_first_of_all(results))
    return _first(results)


def _call(handler: Handler, arguments: Sequence[Any]) -> Any:
    try:
        result = handler(*arguments)
        if result is None:
            return None
        pending = until_done(result)
    except Exception:
        return _failed(Failure(), handler)
    return result if pending is None else pending.addErrback(_failed, handler)


def _failed(failure: Failure, handler: Handler) -> object:
    _log.failure("a handler of an event failed: {handler}", failure, handler=handler)
    return NO_ANSWER


async def _first_of_all(results: list[Any]) -> Any:
    return _first([await result if isinstance(result, Deferred) else result for result in results])


def _first(results: list[Any]) -> Any:
    last = None
    for result in results:
        if result is NO_ANSWER:
            last = NO_ANSWER
        elif result is not None:
            return result
    return last
