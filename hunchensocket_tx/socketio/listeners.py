"""Who listens to which events: what EventEmitter is in JavaScript."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar, overload

from hunchensocket_tx.socketio.calling import Handler, call_all

__all__ = ["CatchAll", "Event", "H", "Hooks", "Listeners"]

H = TypeVar("H", bound=Handler)
Event = str | int
"""The name of an event; clients of 1.x and newer may send numbers, too."""

_NOBODY: dict[Event, tuple[Handler, ...]] = {}
"""Who listens where nobody does; it is never written to, as all share it."""


class Listeners:
    """Handlers of events, by the events' names; they are called in the order in which they were added."""

    __slots__ = ("_listeners",)

    def __init__(self) -> None:
        self._listeners = _NOBODY

    @overload
    def on(self, event: Event, handler: H) -> H: ...

    @overload
    def on(self, event: Event) -> Callable[[H], H]: ...

    def on(self, event: Event, handler: Any = None) -> Any:
        """Have a handler called whenever an event comes; ``@socket.on("name")`` above a function does it, too.

        :param event: its name.
        :param handler: takes the event's arguments; returns a value, or a Deferred or coroutine of one.
        :returns: the handler, as it was.
        """
        if handler is None:
            return partial(self.on, event)
        self._add(event, handler)
        return handler

    @overload
    def once(self, event: Event, handler: H) -> H: ...

    @overload
    def once(self, event: Event) -> Callable[[H], H]: ...

    def once(self, event: Event, handler: Any = None) -> Any:
        """Have a handler called when an event comes for the first time; as :meth:`on`, else."""
        if handler is None:
            return partial(self.once, event)
        self._add(event, _Once(self, event, handler))
        return handler

    def off(self, event: Event | None = None, handler: Handler | None = None) -> None:
        """Do not call a handler any more; nothing happens if it is not one.

        :param event: its name; without it, no handler of any event is called any more.
        :param handler: which; without it, none of the event.
        """
        if event is None:
            self._listeners = _NOBODY
        elif event in self._listeners:
            self._keep(event, _without(self._listeners[event], handler))

    def listeners(self, event: Event) -> tuple[Handler, ...]:
        """Return the handlers of an event."""
        return tuple(
            known.handler if isinstance(known, _Once) else known for known in self._listeners.get(event, ())
        )

    def call_handlers(self, event: Event, *arguments: Any) -> Any:
        """Call the handlers of an event (see :func:`call_all`)."""
        return call_all(self._listeners.get(event, ()), (event, *arguments))

    def inherit(self, others: Listeners) -> None:
        """Have the handlers of others called, too."""
        for event, handlers in others._listeners.items():
            for handler in handlers:
                self._add(event, _Once(self, event, handler.handler) if isinstance(handler, _Once) else handler)

    def spent(self, event: Event, once: Handler) -> None:
        """Do not call what is called once any more; the function it calls may have been added for good, too."""
        self._keep(event, tuple(known for known in self._listeners.get(event, ()) if known is not once))

    def _keep(self, event: Event, handlers: tuple[Handler, ...]) -> None:
        if handlers:
            self._listeners[event] = handlers
        else:
            self._listeners.pop(event, None)

    def _add(self, event: Event, handler: Handler) -> None:
        if not callable(handler):
            raise TypeError(f"{handler!r} is no handler of the event {event!r}, that is, a function")
        if self._listeners is _NOBODY:
            self._listeners = {}
        self._listeners[event] = (*self._listeners.get(event, ()), handler)


class _Once:
    """A handler that is called once. It is equal to the function it calls, by which it can be taken off."""

    __slots__ = ("event", "handler", "owner")

    def __init__(self, owner: Listeners, event: Event, handler: Handler) -> None:
        self.owner = owner
        self.event = event
        self.handler = handler

    def __call__(self, *arguments: Any) -> Any:
        self.owner.spent(self.event, self)
        return self.handler(*arguments)

    def __eq__(self, other: object) -> bool:
        return self is other or (not isinstance(other, _Once) and bool(self.handler == other))

    __hash__ = object.__hash__


class Hooks:
    """Who sees every event of a socket; few sockets have any.

    :ivar incoming: handlers of all events that come.
    :ivar outgoing: handlers of all events that go.
    :ivar middleware: who is asked whether an event may come.
    """

    __slots__ = ("incoming", "middleware", "outgoing")

    def __init__(self) -> None:
        self.incoming: tuple[Handler, ...] = ()
        self.outgoing: tuple[Handler, ...] = ()
        self.middleware: tuple[Handler, ...] = ()


class CatchAll(Listeners):
    """Listeners, also to all events, whatever their names, that come or go."""

    __slots__ = ("_hooks",)

    def __init__(self) -> None:
        super().__init__()
        self._hooks: Hooks | None = None

    def on_any(self, handler: H) -> H:
        """Have a handler called whenever any event comes, before those of its name; a decorator, too.

        :param handler: takes the event's name and its arguments. What it returns answers the client, too.
        :returns: the handler.
        """
        hooks = self._hooked()
        hooks.incoming = (*hooks.incoming, handler)
        return handler

    def prepend_any(self, handler: H) -> H:
        """As :meth:`on_any`; it is called before those that are there."""
        hooks = self._hooked()
        hooks.incoming = (handler, *hooks.incoming)
        return handler

    def off_any(self, handler: Handler | None = None) -> None:
        """Undo :meth:`on_any` for a handler, or for all."""
        if self._hooks is not None:
            self._hooks.incoming = _without(self._hooks.incoming, handler)

    def on_any_outgoing(self, handler: H) -> H:
        """Have a handler called whenever any event is sent to the client; a decorator, too.

        :param handler: takes the event's name and its arguments; what it returns does not matter.
        :returns: the handler.
        """
        hooks = self._hooked()
        hooks.outgoing = (*hooks.outgoing, handler)
        return handler

    def prepend_any_outgoing(self, handler: H) -> H:
        """As :meth:`on_any_outgoing`; it is called before those that are there."""
        hooks = self._hooked()
        hooks.outgoing = (handler, *hooks.outgoing)
        return handler

    def off_any_outgoing(self, handler: Handler | None = None) -> None:
        """Undo :meth:`on_any_outgoing` for a handler, or for all."""
        if self._hooks is not None:
            self._hooks.outgoing = _without(self._hooks.outgoing, handler)

    def _hooked(self) -> Hooks:
        if self._hooks is None:
            self._hooks = Hooks()
        return self._hooks


def _without(handlers: tuple[Handler, ...], handler: Handler | None) -> tuple[Handler, ...]:
    return tuple(known for known in handlers if handler is not None and known != handler)
