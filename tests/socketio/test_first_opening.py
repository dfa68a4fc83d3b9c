"""What handshakes of protocol 1 are answered with; tests/socketio/test_first_server.py has the handshakes."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from hunchensocket_tx.socketio.errors import PayloadError
from hunchensocket_tx.socketio.first.opening import describe, offered_transports, script_index
from hunchensocket_tx.socketio.settings import SocketIOSettings


def asking(**query: list[bytes]) -> Any:
    """Return what there is of a request."""
    return SimpleNamespace(args={name.encode(): values for name, values in query.items()})


class OfferTests(SynchronousTestCase):
    """What a server offers."""

    def test_the_best_transport_is_the_first(self) -> None:
        offered = offered_transports(SocketIOSettings())
        self.assertEqual(offered, ("websocket", "htmlfile", "xhr-polling", "jsonp-polling"))

    def test_what_is_off_is_not_offered(self) -> None:
        for settings, offered in (
            (SocketIOSettings(transports=["websocket"]), ("websocket",)),
            (SocketIOSettings(transports=["polling"], jsonp=False), ("xhr-polling",)),
        ):
            with self.subTest(offered=offered):
                self.assertEqual(offered_transports(settings), offered)

    def test_timeouts_are_seconds(self) -> None:
        settings = SocketIOSettings(heartbeat_timeout=60.0, close_timeout=0.5, transports=["websocket"])
        self.assertEqual(describe("sid", settings), "sid:60:0.5:websocket")


class ScriptIndexTests(SynchronousTestCase):
    """The number of the function that a script calls."""

    def test_it_may_be_missing(self) -> None:
        self.assertIsNone(script_index(asking(), b"i"))
        self.assertRaises(PayloadError, script_index, asking(), b"i", needed=True)

    def test_the_last_one_counts(self) -> None:
        self.assertEqual(script_index(asking(i=[b"1", b"23"]), b"i"), "23")

    def test_it_is_made_of_a_few_digits(self) -> None:
        for index in (b"", b"x", b"1]", b"\xd9\xa3", b"1" * 10, b"-1"):
            with self.subTest(index=index):
                self.assertRaises(PayloadError, script_index, asking(i=[index]), b"i")
