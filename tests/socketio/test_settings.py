"""Tests of hunchensocket_tx.socketio.settings."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from hunchensocket_tx import InvalidSetting
from hunchensocket_tx.socketio.settings import SocketIOSettings


class SettingsTests(SynchronousTestCase):
    """A wrong value is refused, by its name."""

    def assert_refused(self, name: str, *values: Any) -> None:
        """Check that values of a setting are refused, and that it is named."""
        for value in values:
            with self.subTest(value=value), self.assertRaisesRegex(InvalidSetting, f"^{name}: "):
                SocketIOSettings(**{name: value})

    def test_lists_are_kept_as_tuples(self) -> None:
        settings = SocketIOSettings(protocols=[4], transports={"polling"}, parsers=iter(["json"]))
        self.assertEqual((settings.protocols, settings.transports), ((4,), ("polling",)))
        self.assertEqual(settings.parsers, ("json",))

    def test_lists_of_what_nobody_knows_are_refused(self) -> None:
        self.assert_refused("protocols", [], [2], 4, None)
        self.assert_refused("transports", [], "polling", ["flash"])
        self.assert_refused("parsers", ["pickle"], "json")

    def test_times_are_numbers_of_seconds(self) -> None:
        self.assert_refused("ping_interval", 0, -1, "25", float("inf"), float("nan"), True)
        self.assertEqual(SocketIOSettings(ping_interval=0.3).ping_interval, 0.3)

    def test_recovery_may_be_off(self) -> None:
        self.assertEqual(SocketIOSettings(recovery_window=0).recovery_window, 0)
        self.assert_refused("recovery_window", -1)

    def test_sizes_are_whole_numbers(self) -> None:
        self.assert_refused("max_http_buffer_size", 0, 1e6, "1")
        self.assert_refused("max_sessions", 0)
        self.assert_refused("max_namespaces", 0, 1.5)
        self.assert_refused("max_attachments", -1, 1.5)

    def test_a_cookie_has_a_name_that_is_a_token(self) -> None:
        self.assertEqual(SocketIOSettings(cookie="io").cookie, "io")
        self.assert_refused("cookie", "", "a b", "a;b", b"io")
