"""Tests of logs in files of their own (hunchensocket_tx.service.logs)."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

from twisted.logger import Logger, LogLevel, LogPublisher
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from hunchensocket_tx import connect
from hunchensocket_tx.service import Options
from hunchensocket_tx.service.logs import JSONLog, LogFile
from tests import support
from tests.processes import Program, TwistdCase

COMBINED = re.compile(r'(\S+) - - \[[^]]+\] "(\S+) (\S+) HTTP/1.1" (\d+) (\d+|-) "([^"]*)" "([^"]*)"')
"""The combined format of Apache's servers, which tools that read logs expect."""


class FileCase(SynchronousTestCase):
    """Knows a file."""

    def setUp(self) -> None:
        self.path = Path(self.mktemp()).resolve()

    def lines(self) -> list[str]:
        return self.path.read_text().splitlines()


class LogFileTests(FileCase):
    """Files that are appended to."""

    def open(self) -> LogFile:
        file = LogFile(str(self.path))
        self.addCleanup(file.close)
        return file

    def test_lines_are_there_at_once_behind_those_that_were(self) -> None:
        self.path.write_text("before\n")
        file = self.open()
        file.write("now")
        self.assertEqual(self.lines(), ["before", "now"])

    def test_after_a_rotation_there_is_a_new_file(self) -> None:
        file = self.open()
        file.write("one")
        old = self.path.rename(self.path.with_suffix(".1"))
        file.write("two")
        file.reopen()
        file.write("three")
        self.assertEqual((old.read_text(), self.lines()), ("one\ntwo\n", ["three"]))

    def test_what_is_no_utf_8_is_written_nevertheless(self) -> None:
        self.open().write("\udcff")
        self.assertEqual(self.lines(), ["\\udcff"])

    def test_a_file_that_cannot_be_opened_again_is_written_on(self) -> None:
        file = self.open()
        moved = self.path.rename(self.path.with_suffix(".1"))
        self.path.mkdir()
        file.reopen()
        file.write("still there")
        self.assertEqual(moved.read_text(), "still there\n")

    def test_a_disk_that_is_full_ends_nothing(self) -> None:
        if not os.path.exists("/dev/full"):
            self.skipTest("there is no /dev/full")
        file = LogFile("/dev/full")
        self.addCleanup(file.close)
        file.write("nobody will read this")


class JSONLogTests(FileCase):
    """Events as JSON."""

    def setUp(self) -> None:
        super().setUp()
        file = LogFile(str(self.path))
        self.addCleanup(file.close)
        self.logger = Logger("here", observer=LogPublisher(JSONLog(file)))

    def event(self) -> dict[str, Any]:
        """Return the only event that was written."""
        [line] = self.lines()
        event: dict[str, Any] = json.loads(line)
        return event

    def test_an_event_is_one_object_on_one_line(self) -> None:
        self.logger.info("{who} said\n{what}", who="he", what=object, count=3, share=0.5, open=True)
        event = self.event()
        self.assertRegex(event.pop("time"), r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00$")
        expected = {"level": "info", "from": "here", "text": f"he said\n{object}"}
        self.assertEqual(event, {**expected, "who": "he", "count": 3, "share": 0.5, "open": True})

    def test_an_error_has_its_traceback(self) -> None:
        self.logger.failure("oh", Failure(ValueError("what")), LogLevel.critical)
        event = self.event()
        self.assertEqual((event["level"], event["text"]), ("critical", "oh"))
        self.assertIn("ValueError: what", event["traceback"])

    def test_events_do_not_overwrite_what_each_line_has(self) -> None:
        self.logger.info("hello", text="bye", time="never")
        self.assertEqual((self.event()["text"], self.event()["level"]), ("hello", "info"))
        self.assertNotEqual(self.event()["time"], "never")


class OptionTests(FileCase):
    """Files are looked at before anything is served."""

    def test_a_file_that_cannot_be_written_is_told(self) -> None:
        self.path.mkdir()
        for option in ("access-log", "log-json"):
            with self.subTest(option=option):
                with self.assertRaises(SystemExit) as raised:
                    Options().parseOptions([f"--{option}={self.path}"])
                expected = f"twistd hunchensocket: --{option}: '{self.path}' cannot be written: Is a directory"
                self.assertEqual(raised.exception.code, expected)


class TwistdTests(TwistdCase):
    """Logs of ``twistd``."""

    def lines(self, name: str) -> list[str]:
        return (self.folder / name).read_text().splitlines()

    async def end(self, program: Program) -> None:
        program.signal("TERM")
        self.assertEqual(await program.ended, 0)

    async def test_the_access_log_is_in_the_combined_format(self) -> None:
        program = self.listening("--access-log", "access.log")
        address = await program.address()
        for version in (13, 76):
            stream = await connect(f"ws://127.0.0.1:{address.port}/echo?room=1", version=version)
            stream.send("hello")
            await stream.receive()
            stream.close()
            await stream.when_closed()
        client = await support.connect(self, address)
        client.write(b'GET /nowhere HTTP/1.1\r\nHost: localhost\r\nReferer: "x"\r\nConnection: close\r\n\r\n')
        await client.closed
        open_yet = await connect(f"ws://127.0.0.1:{address.port}/chat")  # is logged when it ends
        await self.end(program)
        await open_yet.when_closed()
        lines = self.lines("access.log")
        matches = [COMBINED.fullmatch(line) for line in lines]
        found = [match.group(1, 2, 3, 4, 6) for match in matches if match is not None]
        us = "127.0.0.1"
        self.assertEqual(
            found,
            [
                (us, "GET", "/echo?room=1", "101", "-"),
                (us, "GET", "/echo?room=1", "101", "-"),
                (us, "GET", "/chat", "101", "-"),
            ],
        )
        self.assertIn('"GET /nowhere HTTP/1.1" 404', lines[2])
        self.assertEqual(len(lines), 4)
        self.assertNotIn("GET /echo", program.said)

    async def test_each_websocket_that_ends_is_a_line_of_json(self) -> None:
        program = self.listening("--log-json", "log.json")
        address = await program.address()
        url = f"ws://127.0.0.1:{address.port}/echo"
        for version in (13, 76):
            stream = await connect(url, version=version)
            stream.send("hello")
            await stream.receive()
            stream.close(4001, "bye")
            await stream.when_closed()
        open_yet = await connect(url)
        await self.end(program)
        await open_yet.when_closed()
        events = [json.loads(line) for line in self.lines("log.json")]
        new, old, last = [event for event in events if "messages_received" in event]
        self.assertEqual((new["id"], new["peer"], new["version"], new["secure"]), (1, "127.0.0.1", 13, False))
        self.assertEqual((new["code"], new["reason"], new["clean"]), (4001, "bye", True))
        self.assertEqual((new["messages_received"], new["messages_sent"]), (1, 1))
        self.assertGreater(new["bytes_received"], new["bytes_sent"])  # it is masked
        self.assertGreaterEqual(new["seconds"], 0)
        self.assertEqual((old["id"], old["version"], last["id"], last["code"]), (2, 76, 3, 1001))
        self.assertIn("stopping, with 1 WebSockets open", "".join(event["text"] for event in events))

    async def test_files_may_be_rotated(self) -> None:
        program = self.listening("--access-log", "access.log", "--log-json", "log.json")
        address = await program.address()
        for name in ("access.log", "log.json"):
            (self.folder / name).rename(self.folder / f"{name}.1")
        program.signal("HUP")
        while not all((self.folder / name).exists() for name in ("access.log", "log.json")):
            client = await support.connect(self, address)  # the signal is on its way
            client.write(b"GET /turn HTTP/1.0\r\n\r\n")
            await client.closed
        client = await support.connect(self, address)
        client.write(b"GET /nowhere HTTP/1.0\r\n\r\n")
        await client.closed
        await self.end(program)
        self.assertIn("/nowhere", self.lines("access.log")[-1])
        self.assertIn("Server Shut Down", self.lines("log.json")[-1])
        self.assertNotIn("/nowhere", "".join(self.lines("access.log.1")))
