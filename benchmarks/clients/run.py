"""What every client does: it keeps some messages under way on one connection, and takes its own CPU time."""

from __future__ import annotations

import json
import sys
import time

__all__ = ["Run"]

WARM_UP = 0.3
"""Seconds that do not count."""

LOOK = 32
"""Messages after which to look at the clock."""


class Run:
    """One run of a client, as the command line wants it: ``PORT SIZE DEPTH SECONDS [WAY]``.

    :ivar url: of the server, which sends everything back.
    :ivar message: the text to send, of so many ASCII characters.
    :ivar depth: how many are under way: the client sends as many at first, and one for each that comes back.
    :ivar is_over: whether nothing is to be sent any more.
    :ivar way: which of several ways of using a library, if it has some.
    """

    def __init__(self) -> None:
        port, size, depth, seconds, *way = sys.argv[1:]
        self.port = int(port)
        self.url = f"ws://127.0.0.1:{port}/"
        self.message = "x" * int(size)
        self.depth = int(depth)
        self.way = way[0] if way else ""
        self.is_over = False
        self._seconds = float(seconds)
        self._begun = time.monotonic() + WARM_UP
        self._left = LOOK
        self._looks = 0
        self._cpu: float | None = None

    def goes_on(self, message: object) -> bool:
        """Take a message that came back; return whether to send another one.

        :raises ValueError: if it is not what was sent.
        """
        if message != self.message:
            raise ValueError(f"that was not sent: {message!r:.100}")
        self._left -= 1
        if not self._left:
            self._look()
        return not self.is_over

    def _look(self) -> None:
        self._left = LOOK
        now = time.monotonic()
        if self._cpu is None:
            if now >= self._begun:
                self._begun, self._cpu = now, time.process_time()
            return
        self._looks += 1
        if now >= self._begun + self._seconds and not self.is_over:
            self.is_over = True
            seconds, cost = now - self._begun, time.process_time() - self._cpu
            print(json.dumps({"count": self._looks * LOOK, "seconds": seconds, "cost": cost}), flush=True)
