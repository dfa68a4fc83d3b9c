"""Logs in files of their own: requests in the combined format, and everything as JSON."""

from __future__ import annotations

import json
import os
from datetime import datetime, timezone
from typing import Any

from twisted.application.service import Service
from twisted.logger import ILogObserver, LogEvent, Logger, formatEvent, globalLogPublisher
from twisted.python import usage
from twisted.web import http
from twisted.web.resource import IResource
from zope.interface import implementer

from hunchensocket_tx.factory import GuardedSite
from hunchensocket_tx.service.group import OptionGroup
from hunchensocket_tx.settings import Settings
from hunchensocket_tx.tallied import TalliedStream
from hunchensocket_tx.wire.events import CloseReason

__all__ = ["JSONLog", "LogFile", "LogOptions", "LoggedSite", "log_end"]

_log = Logger()

LEGACY = frozenset({"format", "isError", "message", "printed", "system", "time", "why"})
"""What Twisted's older log adds to events."""


class LogOptions(OptionGroup):
    """Options on logs."""

    optParameters = [  # noqa: N815
        [
            "access-log",
            None,
            None,
            "Append a line for each request and WebSocket, in the combined format, to this file, in place of the "
            "log. At SIGHUP it is opened again",
        ],
        [
            "log-json",
            None,
            None,
            "Append what is logged to this file, too, as a JSON object a line, with one for each WebSocket that "
            "ended. At SIGHUP it is opened again",
        ],
    ]

    def check(self) -> None:
        """See that the files can be written."""
        super().check()
        for name in ("access-log", "log-json"):
            if self[name] is None:
                continue
            self[name] = os.path.abspath(self[name])  # a daemon goes elsewhere
            try:
                open(self[name], "a").close()
            except OSError as error:
                raise usage.UsageError(f"--{name}: {self[name]!r} cannot be written: {error.strerror}") from error


class LogFile:
    """A file to which lines are appended, by several processes as well.

    :param path: its name; another file may be given that name, then :meth:`reopen` has to be called.
    :raises OSError: if it cannot be written.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._fails = False
        self._file = self._open()

    def write(self, line: str) -> None:
        """Append a line, at once; if that cannot be done, which the log is told, it is lost."""
        try:
            self._file.write(line.encode("utf-8", "backslashreplace") + b"\n")
        except OSError as error:
            if not self._fails:  # told once: the log may be this very file
                self._fails = True
                _log.error("{path} cannot be written: {error}", path=self._path, error=error)
        else:
            self._fails = False

    def reopen(self) -> None:
        """Write to the file that has its name now; if that cannot be opened, go on with the one at hand."""
        try:
            new = self._open()
        except OSError as error:
            _log.error("{path} cannot be opened again: {error}", path=self._path, error=error)
            return
        self._file.close()
        self._file = new

    def close(self) -> None:
        """Write no more."""
        self._file.close()

    def _open(self) -> Any:
        return open(self._path, "ab", buffering=0)


class LoggedSite(GuardedSite):
    """A site that writes its access log to a file.

    :param access_log: that file.

    The others are those of :class:`GuardedSite`.
    """

    def __init__(self, root: IResource, settings: Settings, access_log: LogFile) -> None:
        super().__init__(root, settings)
        self._access_log = access_log

    def log(self, request: http.Request) -> None:
        """Write the line of a request (HTTPFactory), also when the site listens no more."""
        time = http.datetimeToLogString(self.reactor.seconds())
        line = http.combinedLogFormatter(time, request)
        self._access_log.write(line.replace('"', "", 2))  # Twisted puts the address in quotes, and nobody else


@implementer(ILogObserver)
class JSONLog(Service):
    """Writes all events of Twisted's log to a file, each as a JSON object.

    Fields are ``time`` (UTC, ISO 8601), ``level``, ``from``, ``text``, ``traceback`` where there is one, and what
    the event says of itself in numbers and words.

    :param file: where to.
    """

    def __init__(self, file: LogFile) -> None:
        self._file = file

    def startService(self) -> None:
        """Write from now on, until the process ends, as the end is of interest, too (IService)."""
        super().startService()  # type: ignore[no-untyped-call]
        globalLogPublisher.addObserver(self)

    def __call__(self, event: LogEvent) -> None:
        """Write an event (ILogObserver)."""
        record = {
            name: value
            for name, value in event.items()
            if isinstance(value, (str, int, float)) and not name.startswith("log_") and name not in LEGACY
        }
        record["time"] = datetime.fromtimestamp(event["log_time"], timezone.utc).isoformat()
        record["level"] = event["log_level"].name
        record["from"] = event["log_namespace"]
        record["text"] = formatEvent(event)
        failure = event.get("log_failure")
        if failure is not None:
            record["traceback"] = failure.getTraceback()
        self._file.write(json.dumps(record))


def log_end(stream: TalliedStream, end: CloseReason, seconds: float) -> None:
    """Log the end of a WebSocket, with all that is known of it."""
    _log.info(
        "WebSocket {id} of {peer} has ended after {seconds} seconds: {code} {reason}",
        id=stream.number,
        peer=stream.client or str(stream.peer),
        version=stream.version,
        secure=stream.secure,
        seconds=round(seconds, 3),
        messages_received=stream.messages_received,
        messages_sent=stream.messages_sent,
        bytes_received=stream.bytes_received,
        bytes_sent=stream.bytes_sent,
        code=end.code,
        reason=end.reason,
        clean=end.clean,
    )
