"""JSON as Socket.IO has it: what JavaScript reads and writes, and nothing else.

What is written is ASCII, so that characters, UTF-16 code units and bytes are the same number, and so that both
dialects of Engine.IO 3 read the same.
"""

from __future__ import annotations

import json
import json.encoder
from collections.abc import Callable, Iterable
from datetime import datetime, timezone
from math import inf
from typing import Any, NoReturn

from hunchensocket_tx.socketio.errors import UnserializableData

__all__ = ["default", "dumps", "iso_time", "loads", "loads_from", "writer"]

_WHITESPACE = " \t\n\r"


def iso_time(time: datetime) -> str:
    """Return a time as JavaScript writes it: in UTC, with milliseconds. A time without a zone is local time.

    :raises OverflowError: if it is none that can be told so.
    """
    return time.astimezone(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def default(value: Any) -> Any:
    """Return what is written instead of a value that JSON has no notion of.

    :raises TypeError: if nothing is.
    """
    if isinstance(value, datetime):
        return iso_time(value)
    raise TypeError(f"{type(value).__name__} cannot be written as JSON")


def writer(otherwise: Callable[[Any], Any]) -> Callable[[Any], str]:
    """Return a function that writes a value as JSON, in ASCII, without spaces: tuples as arrays.

    It raises UnserializableData if the value cannot be written: NaN, an endless structure, or no JSON.

    :param otherwise: returns what is written instead of a value that JSON has no notion of, or raises TypeError.
    """
    chunks = _chunks(otherwise)

    def write(value: Any) -> str:
        try:
            return "".join(chunks(value, 0))
        except (TypeError, ValueError, OverflowError, RecursionError) as error:
            raise UnserializableData(f"cannot be sent: {error}") from error

    return write


def _chunks(otherwise: Callable[[Any], Any]) -> Callable[[Any, int], Iterable[str]]:
    """Return what a JSONEncoder makes for each value anew, as it costs as much as what it does for a small one."""
    plain = json.JSONEncoder(separators=(",", ":"), allow_nan=False, check_circular=False, default=otherwise)
    try:
        made: Callable[[Any, int], Iterable[str]] = json.encoder.c_make_encoder(  # type: ignore[attr-defined]
            None,
            otherwise,
            json.encoder.encode_basestring_ascii,
            None,
            ":",
            ",",
            False,
            False,
            False,
        )
    except (AttributeError, TypeError):  # a Python that has none, or another one
        return lambda value, _: plain.encode(value)
    return made


dumps = writer(default)
"""Return a value as JSON; see :func:`writer`. Times are written as JavaScript does."""


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not -inf < number < inf:
        raise ValueError("a number is too large")
    return number


_DECODER = json.JSONDecoder(parse_constant=_refuse, parse_float=_finite)
_read = _DECODER.raw_decode


def loads_from(text: str, start: int) -> Any:
    """Return the value that text from ``start`` on is in JSON.

    :raises ValueError: if it is none, or too deep, or has a number that is NaN, infinite or too long.
    """
    try:
        value, end = _read(text, start)
    except RecursionError:
        raise ValueError("JSON is nested too deeply") from None
    if end != len(text) and text[end:].strip(_WHITESPACE):
        raise ValueError("something follows JSON")
    return value


def loads(text: str) -> Any:
    """Return the value that text is in JSON.

    :raises ValueError: if it is none, or too deep, or has a number that is NaN, infinite or too long.
    """
    return loads_from(text, len(text) - len(text.lstrip(_WHITESPACE)))
