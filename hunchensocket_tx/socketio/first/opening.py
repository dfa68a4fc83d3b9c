"""How clients of protocol 1 get their sessions: what their handshakes are answered with."""

from __future__ import annotations

from twisted.web.server import Request

from hunchensocket_tx.settings import Settings
from hunchensocket_tx.socketio.answers import TEXT, answer
from hunchensocket_tx.socketio.cors import judge_script
from hunchensocket_tx.socketio.errors import PayloadError
from hunchensocket_tx.socketio.first.polling import FUNCTIONS
from hunchensocket_tx.socketio.settings import SocketIOSettings
from hunchensocket_tx.socketio.wire.jsonp import jsonp_answer, jsonp_error

__all__ = [
    "BAD_ORIGIN",
    "ERROR",
    "UNAUTHORIZED",
    "admit_script",
    "answer_opening",
    "describe",
    "offered_transports",
    "refuse_opening",
    "script_index",
]

UNAUTHORIZED = "handshake unauthorized"
BAD_ORIGIN = "handshake bad origin"
ERROR = "handshake error"

SCRIPT = b"application/javascript"

INDEX_DIGITS = 9

RETRY_AFTER = b"5"
"""Seconds after which a client may try again (RFC 9110 section 10.2.3)."""


def offered_transports(settings: SocketIOSettings) -> tuple[str, ...]:
    """Return the names of transports that clients may use, best first."""
    names = ["websocket"] if "websocket" in settings.transports else []
    if "polling" in settings.transports:
        names += ["htmlfile", "xhr-polling", "jsonp-polling"] if settings.jsonp else ["xhr-polling"]
    return tuple(names)


def describe(sid: str, settings: SocketIOSettings) -> str:
    """Return what a client is told of its session: id, timeouts in seconds, transports."""
    timeouts = f"{settings.heartbeat_timeout:g}:{settings.close_timeout:g}"
    return f"{sid}:{timeouts}:{','.join(offered_transports(settings))}"


def _parameter(request: Request, name: bytes) -> str | None:
    values = (request.args or {}).get(name)
    return values[-1].decode("latin-1") if values else None


def admit_script(request: Request, settings: SocketIOSettings, limits: Settings) -> bool:
    """Tell whether a request may be answered with a script, which pages of other sites could read."""
    return settings.jsonp and judge_script(request, limits) is None


def script_index(request: Request, name: bytes, *, needed: bool = False) -> str | None:
    """Return the number of the function that is to be called with an answer.

    :param name: of the parameter of the query that has it.
    :returns: None if it is missing.
    :raises PayloadError: if it is no number, or missing though it is needed.
    """
    index = _parameter(request, name)
    if index is None and not needed:
        return None
    if index is None or not (index.isascii() and index.isdigit() and len(index) <= INDEX_DIGITS):
        raise PayloadError("the index of a function to call is no number")
    return index


def answer_opening(request: Request, body: str, index: str | None) -> None:
    """Answer a handshake.

    :param index: number of the function that is to be called with the answer; None if it is no script.
    """
    if index is None:
        answer(request, body.encode(), TEXT)
    else:
        answer(request, jsonp_answer(index, body, FUNCTIONS), SCRIPT)


def refuse_opening(request: Request, status: int, message: str, index: str | None) -> None:
    """Answer a handshake with an error; a script has status 200, as browsers do not run others.

    :param index: as of :func:`answer_opening`.
    """
    if index is None:
        if status == 503:
            request.setHeader(b"retry-after", RETRY_AFTER)
        answer(request, message.encode(), TEXT, status)
    else:
        answer(request, jsonp_error(index, message, FUNCTIONS), SCRIPT)
