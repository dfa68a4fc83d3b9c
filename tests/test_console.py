"""console.py with a transport that keeps what it is given, and a stream of each version."""

from __future__ import annotations

import random
from typing import Any

from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from hunchensocket_tx.console import Console, without_controls
from hunchensocket_tx.testing import StreamPair


class ConsoleCase(SynchronousTestCase):
    """A console at the client's end of a pair of streams."""

    version = 13

    def setUp(self) -> None:
        self.pair = StreamPair(version=self.version)
        self.told: list[str] = []
        self.output = StringTransport()
        self.console = Console(self.pair.client, self.told.append, self.pair.clock, patience=2, harmless=True)
        self.console.makeConnection(self.output)

    def say(self, data: bytes) -> None:
        """Have bytes come from the standard input, and go to the server."""
        self.console.dataReceived(data)
        self.pair.settle()

    def received(self) -> Any:
        """Return the next message that the server gets."""
        return self.pair.result(self.pair.server.receive())


class LineTests(ConsoleCase):
    """Lines in."""

    def test_a_line_is_a_message_however_it_was_cut(self) -> None:
        for data in (b"on", b"e li", b"ne\nanother\nth"):
            self.say(data)
        self.assertEqual([self.received(), self.received()], ["one line", "another"])
        self.say("ird ü\n".encode())
        self.assertEqual(self.received(), "third ü")

    def test_an_empty_line_is_an_empty_message(self) -> None:
        self.say(b"\n")
        self.assertEqual(self.received(), "")

    def test_two_slashes_send_one(self) -> None:
        self.say(b"//close\n///\n")
        self.assertEqual([self.received(), self.received()], ["/close", "//"])

    def test_hex_is_sent_as_bytes(self) -> None:
        self.say(b"/binary 00ff 10\n/binary\n")
        self.assertEqual([self.received(), self.received()], [b"\x00\xff\x10", b""])

    def test_what_is_wrong_is_told_and_not_sent(self) -> None:
        for line, word in (
            (b"/binary xyz\n", "'xyz'"),
            (b"/pong\n", "/help"),
            (b"/\n", "/help"),
            (b"\xff\n", "UTF-8"),
            (b"/close why\n", "4001"),
            (b"/close 99\n", "99"),
        ):
            with self.subTest(line=line):
                self.told.clear()
                self.say(line)
                self.assertEqual(len(self.told), 1)
                self.assertIn(word, self.told[0])
        self.say(b"right\n")
        self.assertEqual(self.received(), "right")
        self.assertTrue(self.console.failed)

    def test_help_lists_the_commands(self) -> None:
        self.say(b"/help\n")
        for command in ("/ping", "/binary", "/close", "/help", "//"):
            self.assertIn(command, self.told[0])
        self.assertFalse(self.console.failed)

    def test_a_ping_is_timed(self) -> None:
        self.say(b"/ping\n")
        self.assertEqual(self.told, ["pong after 0 ms"])

    def test_a_ping_without_an_answer_is_told(self) -> None:
        self.pair.connection(self.pair.client).hold()
        self.console.dataReceived(b"/ping\n")
        self.pair.advance(25)
        self.assertEqual(self.told, ["no pong in time"])

    def test_close_has_a_code_and_a_reason(self) -> None:
        self.say(b"/close 4001 that is enough\nnot sent any more\n")
        end = self.pair.result(self.pair.server.when_closed())
        self.assertEqual((end.code, end.reason), (4001, "that is enough"))
        self.assertEqual(self.told, [])

    def test_close_alone_is_normal(self) -> None:
        self.say(b"/close\n")
        self.assertEqual(self.pair.result(self.pair.server.when_closed()).code, 1000)


class HixieLineTests(ConsoleCase):
    """What hixie-76 has not."""

    version = 76

    def test_neither_bytes_nor_pings_can_be_sent(self) -> None:
        self.say(b"/binary 00\n/ping\ntext\n")
        self.assertEqual(["hixie-76" in text for text in self.told], [True, True])
        self.assertEqual(self.received(), "text")


class MessageTests(ConsoleCase):
    """Messages out."""

    def test_text_is_shown_as_it_is_and_bytes_as_hex(self) -> None:
        self.console.show("Grüße")
        self.console.show(b"\x00\xff")
        self.assertEqual(self.output.value(), "Grüße\n/binary 00 ff\n".encode())

    def test_a_terminal_gets_no_control_characters(self) -> None:
        self.console.show("\x1b[2J\tred\x9b")
        self.assertEqual(self.output.value(), b"\\x1b[2J\tred\\x9b\n")
        self.assertEqual(without_controls("two\nlines\r"), "two\nlines\\x0d")


class FlowTests(ConsoleCase):
    """Who is slow is waited for."""

    def test_lines_wait_for_the_server(self) -> None:
        self.pair.connection(self.pair.client).hold()
        self.console.dataReceived(b"/binary " + random.Random(1).randbytes(900_000).hex().encode() + b"\n")
        self.pair.settle()
        self.assertEqual(self.output.producerState, "paused")
        self.pair.connection(self.pair.client).release()
        self.pair.settle()
        self.assertEqual(self.output.producerState, "producing")

    def test_messages_wait_for_who_reads_them(self) -> None:
        self.assertIs(self.output.producer, self.pair.client)
        self.assertTrue(self.output.streaming)


class EndTests(ConsoleCase):
    """Ends."""

    def test_a_last_line_needs_no_newline(self) -> None:
        self.console.dataReceived(b"last")
        self.console.readConnectionLost()
        self.assertEqual(self.received(), "last")

    def test_after_the_end_of_input_it_closes_when_all_is_quiet(self) -> None:
        self.console.readConnectionLost()
        self.pair.advance(1.5)
        self.console.show("an answer")
        self.pair.advance(1.5)
        self.assertTrue(self.pair.client.is_open)
        self.pair.advance(1)
        self.assertFalse(self.pair.client.is_open)
        self.assertEqual(self.pair.result(self.pair.server.when_closed()).code, 1000)

    def test_it_closes_when_nobody_reads_any_more(self) -> None:
        self.console.writeConnectionLost()
        self.assertEqual(self.pair.result(self.pair.server.when_closed()).code, 1001)
        self.successResultOf(self.console.finish())

    def test_it_is_gone_when_all_was_written(self) -> None:
        self.pair.server.close()
        self.pair.settle()
        gone = self.console.finish()
        self.assertTrue(self.output.disconnecting)
        self.assertNoResult(gone)
        self.console.connectionLost()
        self.successResultOf(gone)

    def test_a_server_that_closes_first_leaves_no_timer(self) -> None:
        self.console.readConnectionLost()
        self.pair.server.close()
        self.pair.settle()
        self.console.finish()
        self.pair.advance(60)
        self.assertEqual(self.pair.clock.getDelayedCalls(), [])
