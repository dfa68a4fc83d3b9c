"""A file or folder that says which token leads to which target; for :func:`hunchensocket_tx.forward`."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from twisted.logger import Logger
from twisted.web.server import Request

from hunchensocket_tx.cascade import Reject
from hunchensocket_tx.errors import InvalidSetting
from hunchensocket_tx.forwarding import client_endpoint

__all__ = ["ForwardTokens"]

Signature = tuple[tuple[str, int, int, int], ...]
"""What changes when files do: name, inode, size and time of change in nanoseconds, of each."""

UNKNOWN = Reject(404, "the address of this WebSocket has to name a token that is known here\n")


class ForwardTokens:
    """A table of tokens and targets, which is read again when it has changed. Calling it resolves a request.

    Each line is ``token: target``, with a target as :func:`hunchensocket_tx.forward` takes it: ``host:port`` or
    the description of an endpoint. Lines may be empty, or begin with ``#``. The token of a request is the value of
    ``token`` in its query, otherwise the last segment of its path, below that of the resource.

    If what has changed is wrong or gone, that is logged, and the table before stays in force.

    :param path: the file, or a folder of such files, in which those with a dot in front or a tilde behind do not
        count.
    :param reactor: the global one by default; what the targets' endpoints are checked with.
    :raises InvalidSetting: naming the file, the line, and what is wrong with it.
    """

    _log = Logger()

    def __init__(self, path: str | os.PathLike[str], reactor: Any = None) -> None:
        if reactor is None:
            from twisted.internet import reactor
        self._path = Path(path)
        self._reactor = reactor
        try:
            self._signature: Signature | None = self._look()
            self._targets = self._read()
        except (OSError, ValueError) as error:
            raise InvalidSetting(f"tokens: {error}") from error

    def __call__(self, request: Request) -> str | Reject:
        """Return the description of a request's target, or a refusal (404) if its token is not known."""
        self._refresh()
        target = self._targets.get(token_of(request))
        if target is None:
            self._log.info("{peer} named no known token", peer=request.getClientAddress())
            return UNKNOWN
        return target

    def _refresh(self) -> None:
        """Read again if something has changed; tell once if that is wrong."""
        before = self._signature
        try:
            self._signature = None
            self._signature = self._look()
            if self._signature != before:
                self._targets = self._read()
                self._log.info("{path} was read again", path=str(self._path))
        except (OSError, ValueError) as error:
            if self._signature != before:
                self._log.error("the tokens stay as they were: {error}", error=error)

    def _files(self) -> list[Path]:
        if not self._path.is_dir():
            return [self._path]
        paths = (path for path in self._path.iterdir() if path.is_file())
        return sorted(path for path in paths if not re.match(r"\.|.*~$", path.name))

    def _look(self) -> Signature:
        found = ((path, path.stat()) for path in self._files())
        return tuple((path.name, stat.st_ino, stat.st_size, stat.st_ctime_ns) for path, stat in found)

    def _read(self) -> dict[str, str]:
        targets: dict[str, str] = {}
        for place, token, target in self._lines():
            if token in targets:
                raise ValueError(f"{place}: the token {token!r} has a target already")
            try:
                client_endpoint(self._reactor, target)
            except ValueError as error:
                raise ValueError(f"{place}: {error}") from error
            targets[token] = target
        return targets

    def _lines(self) -> Iterator[tuple[str, str, str]]:
        """Yield the place, token and target of each line."""
        for path in self._files():
            try:
                text = path.read_text("utf-8")
            except UnicodeDecodeError as error:
                raise ValueError(f"{path} is not UTF-8: {error}") from error
            for number, line in enumerate(text.splitlines(), 1):
                if not line.strip() or line.lstrip().startswith("#"):
                    continue
                token, *target = re.split(r":\s+", line.strip(), maxsplit=1)
                if not token or not target:
                    raise ValueError(f"{path}, line {number}: write 'token: host:port', or an endpoint behind it")
                yield f"{path}, line {number}", token, target[0]


def token_of(request: Request) -> str:
    """Return the token that a request names; empty for none."""
    arguments: Any = request.args
    segments: Any = request.postpath
    named = [*arguments.get(b"token", ()), *segments[-1:]]
    return bytes(named[0]).decode("utf-8", "replace") if named else ""
