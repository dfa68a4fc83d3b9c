"""What the servers of all generations have in common: their sessions, who may have one, and the end of all."""

from __future__ import annotations

from typing import Generic, TypeVar

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.web.server import Request

from hunchensocket_tx.settings import Settings
from hunchensocket_tx.socketio.permission import ask_permission
from hunchensocket_tx.socketio.session import Session, SessionOpened
from hunchensocket_tx.socketio.settings import SocketIOSettings

__all__ = ["SessionServer"]

AnySession = TypeVar("AnySession", bound=Session)
Result = TypeVar("Result")


class SessionServer(Generic[AnySession]):
    """Has the sessions of some generations. Servers inherit from it.

    :param settings: of sessions.
    :param limits: of WebSockets, and which origins may connect, over whatever transport.
    :param clock: where timers run.
    :param opened: told of each new session.

    :ivar sessions: those that are known, by their ids: open ones, and such as are not told yet that they are over.
    """

    def __init__(
        self, settings: SocketIOSettings, limits: Settings, clock: IReactorTime, opened: SessionOpened
    ) -> None:
        self.settings = settings
        self.limits = limits
        self.clock = clock
        self.opened = opened
        self.sessions: dict[str, AnySession] = {}
        self._asking: set[Deferred[str | None]] = set()  # whether clients may have a session
        self._waiters: list[Deferred[None]] = []  # for all sessions to be over

    @property
    def is_full(self) -> bool:
        """Whether no client may have a session now: there are too many, or all are being ended."""
        return bool(self._waiters) or len(self.sessions) >= self.settings.max_sessions

    def ask(self, request: Request) -> Deferred[str | None]:
        """Ask the application whether a client may have a session, as long as that is of interest.

        :returns: as :func:`ask_permission`; it is cancelled if the client leaves meanwhile, or all sessions end.
        """
        permission = ask_permission(self.settings, request)
        if not permission.called:
            self._asking.add(permission)
            permission.addBoth(self._asked, permission)
            request.notifyFinish().addErrback(lambda _: permission.cancel())
        return permission

    def _asked(self, answer: Result, permission: Deferred[str | None]) -> Result:
        self._asking.discard(permission)
        return answer

    def forget(self, session: AnySession) -> None:
        """Let a session's id be unknown, as it is over."""
        self.sessions.pop(session.sid, None)
        if self._waiters and not self.sessions:
            waiters, self._waiters = self._waiters, []
            for waiter in waiters:
                waiter.callback(None)

    def close(self, reason: str) -> Deferred[None]:
        """End all sessions, and begin none until that is done.

        :param reason: as the application is told.
        :returns: a Deferred that fires when all clients have been told, or their time is over.
        """
        for permission in tuple(self._asking):
            permission.cancel()
        for session in tuple(self.sessions.values()):
            session.close(reason)
        if not self.sessions:
            return succeed(None)
        waiter: Deferred[None] = Deferred(self._waiters.remove)
        self._waiters.append(waiter)
        return waiter
