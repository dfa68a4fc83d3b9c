"""Payloads as scripts and forms, for browsers that can do no better (JSONP)."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl

from hunchensocket_tx.socketio.errors import PayloadError
from hunchensocket_tx.socketio.wire.json_text import dumps, loads

__all__ = ["SCRIPT", "jsonp_answer", "jsonp_body", "jsonp_error", "jsonp_string_body", "script_string"]

SCRIPT = "text/javascript; charset=UTF-8"
"""The content type of these answers."""

_INDEX_DIGITS = 16
_FIELDS = 16
_ESCAPED_NEWLINE = re.compile(r"\\?\\n")


def script_string(text: str) -> str:
    """Return text as a string of JavaScript, of ASCII characters, that may stand in a script of a page, too."""
    return dumps(text).replace("</", "<\\/")


def jsonp_answer(index: str, payload: str, function: str = "___eio") -> bytes:
    """Return the script that calls one of the client's functions with a payload.

    :param index: the number of the function, as the client gave it.
    :param function: the list that has them: ``___eio`` in Engine.IO 3 and 4, ``io.j`` in protocol 1.
    :raises PayloadError: if the index is not a number.
    """
    return f"{function}[{_checked(index)}]({script_string(payload)});".encode("ascii")


def jsonp_error(index: str, message: str, function: str = "io.j") -> bytes:
    """Return the script that tells a client why its handshake is refused (protocol 1).

    :raises PayloadError: if the index is not a number.
    """
    return f"{function}[{_checked(index)}](new Error({script_string(message)}));".encode("ascii")


def jsonp_body(form_body: bytes) -> str:
    """Return the payload that a form carries (Engine.IO 3 and 4): browsers change newlines, so they are escaped.

    :param form_body: the request's body, ``application/x-www-form-urlencoded``.
    :raises PayloadError: if there is none.
    """
    return _ESCAPED_NEWLINE.sub(lambda found: "\n" if len(found[0]) == 2 else "\\n", _field(form_body))


def jsonp_string_body(form_body: bytes) -> str:
    """Return the payload that a form carries as a JSON string (protocol 1).

    :param form_body: the request's body, ``application/x-www-form-urlencoded``.
    :raises PayloadError: if there is none.
    """
    try:
        payload = loads(_field(form_body))
    except ValueError:
        payload = None
    if not isinstance(payload, str):
        raise PayloadError("the field d of a form is not a string of JSON")
    return payload


def _checked(index: str) -> str:
    if not (index.isascii() and index.isdigit() and len(index) <= _INDEX_DIGITS):
        raise PayloadError("the index of a function to call is not a number")
    return index


def _field(form_body: bytes) -> str:
    """Return the form's field ``d``."""
    try:
        fields = dict(
            parse_qsl(form_body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=_FIELDS)
        )
        return fields["d"]
    except (ValueError, KeyError):
        raise PayloadError("a form has no field d with text") from None
