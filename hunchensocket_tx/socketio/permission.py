"""What the application says of a client before it has a session: the setting ``allow_request``."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred, succeed
from twisted.web.server import Request

from hunchensocket_tx.socketio.settings import SocketIOSettings

__all__ = ["ask_permission"]

NO_REASON = "Forbidden"


def ask_permission(settings: SocketIOSettings, request: Request) -> Deferred[str | None]:
    """Ask the application whether a client may have a session.

    :returns: a Deferred, which may have fired already, of None if it may, or of why not. It fails with what the
        application raised, or TypeError if it gave no such answer. Cancel it if the client leaves meanwhile.
    """
    if settings.allow_request is None:
        return succeed(None)
    return maybeDeferred(settings.allow_request, request).addCallback(_refusal)


def _refusal(given: Any) -> str | None:
    if given is True:
        return None
    if given is False:
        return NO_REASON
    if isinstance(given, str):
        return given or NO_REASON
    raise TypeError(f"allow_request returned {given!r}: True, False or a str that says why not is wanted")
