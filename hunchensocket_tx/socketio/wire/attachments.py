"""Bytes within packets of JSON: placeholders stand for them, and they follow as messages of their own.

(Socket.IO protocols 3, 4 and 5, binary events and acknowledgements.)
"""

from __future__ import annotations

from typing import Any

from hunchensocket_tx.socketio.errors import PacketError
from hunchensocket_tx.socketio.wire.json_text import default, writer

__all__ = ["Places", "dumps_apart"]


def dumps_apart(value: Any) -> tuple[str, list[bytes]]:
    """Return a value as JSON with placeholders, and the bytes that they stand for, in their order.

    :raises UnserializableData: if something else cannot be written.
    """
    pieces: list[bytes] = []

    def place(value: Any) -> Any:
        if not isinstance(value, (bytes, bytearray, memoryview)):
            return default(value)
        pieces.append(bytes(value))
        return {"_placeholder": True, "num": len(pieces) - 1}

    return writer(place)(value), pieces


class Places:
    """The places in what came as JSON where bytes belong.

    :param data: that, which is changed when the bytes are there.
    :param count: how many pieces of bytes follow.
    :raises PacketError: if a placeholder stands for none of them, or two for the same, which no client writes but
        could make few bytes become many when they are sent on.
    """

    __slots__ = ("_places",)

    def __init__(self, data: Any, count: int) -> None:
        self._places: list[tuple[Any, Any, int]] = []
        taken: set[int] = set()
        todo = [data]
        while todo:
            container = todo.pop()
            for key, value in container.items() if isinstance(container, dict) else enumerate(container):
                if isinstance(value, dict) and value.get("_placeholder") is True:
                    number = value.get("num")
                    if type(number) is not int or not 0 <= number < count or number in taken:
                        raise PacketError("a placeholder stands for no attachment")
                    taken.add(number)
                    self._places.append((container, key, number))
                elif isinstance(value, (dict, list)):
                    todo.append(value)

    def fill(self, pieces: list[bytes]) -> None:
        """Put the bytes where they belong."""
        for container, key, number in self._places:
            container[key] = pieces[number]
