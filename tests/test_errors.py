"""The exceptions: whose fault each is, what else it is to Python, and what it says."""

from __future__ import annotations

import pickle
from copy import copy

from twisted.trial.unittest import SynchronousTestCase

from hunchensocket_tx import errors
from hunchensocket_tx.errors import (
    CannotConnect,
    ConnectionClosed,
    ConnectTimeout,
    HandshakeFailed,
    HandshakeRefused,
    HandshakeTimeout,
    HunchensocketError,
    InvalidCloseCode,
    InvalidSetting,
    InvalidURL,
    MisuseError,
    NoCurrentStream,
    NotUpgradable,
    PeerError,
    UnsupportedMessage,
    VersionRefused,
)


class TreeTests(SynchronousTestCase):
    def test_one_root_catches_everything(self) -> None:
        for name in errors.__all__:
            with self.subTest(name):
                self.assertTrue(issubclass(getattr(errors, name), HunchensocketError))

    def test_all_exceptions_of_the_module_are_public(self) -> None:
        values = vars(errors).items()
        defined = {name for name, value in values if isinstance(value, type) and issubclass(value, Exception)}
        self.assertEqual(defined, set(errors.__all__))

    def test_misuse_and_the_peers_faults_are_apart(self) -> None:
        sides: dict[type[Exception], set[type[Exception]]] = {
            MisuseError: {
                InvalidCloseCode,
                InvalidSetting,
                InvalidURL,
                UnsupportedMessage,
                NoCurrentStream,
                NotUpgradable,
            },
            PeerError: {CannotConnect, HandshakeFailed, ConnectionClosed},
        }
        for side, kinds in sides.items():
            self.assertEqual({kind for kind in side.__subclasses__() if kind.__module__ == errors.__name__}, kinds)

    def test_misuse_is_the_builtin_exception_that_a_caller_expects_too(self) -> None:
        for error, builtin in (
            (InvalidSetting, ValueError),
            (InvalidURL, ValueError),
            (UnsupportedMessage, TypeError),
            (NoCurrentStream, LookupError),
            (NotUpgradable, RuntimeError),
        ):
            with self.subTest(error):
                self.assertTrue(issubclass(error, builtin))

    def test_what_keeps_from_connecting_is_the_builtin_exception_too(self) -> None:
        for error, builtin in (
            (CannotConnect, ConnectionError),
            (ConnectTimeout, TimeoutError),
            (HandshakeTimeout, TimeoutError),
        ):
            with self.subTest(error):
                self.assertTrue(issubclass(error, builtin))

    def test_the_picture_in_the_docstring_shows_every_exception(self) -> None:
        for name in errors.__all__:
            with self.subTest(name):
                self.assertIn(name, errors.__doc__ or "")


class HandshakeRefusedTests(SynchronousTestCase):
    def test_it_keeps_the_answer_and_says_what_to_do(self) -> None:
        error = VersionRefused("say version=8", 426, {"server": ("x",)}, b"no")
        self.assertIsInstance(error, HandshakeRefused)
        self.assertEqual((error.status, error.headers, error.body), (426, {"server": ("x",)}, b"no"))
        self.assertEqual(str(error), "say version=8")
        self.assertEqual(str(pickle.loads(pickle.dumps(error))), "say version=8")


class ConnectionClosedTests(SynchronousTestCase):
    def test_it_keeps_code_reason_and_cleanness(self) -> None:
        error = ConnectionClosed(1001, "going away", True)
        self.assertEqual((error.code, error.reason, error.clean), (1001, "going away", True))

    def test_its_text_says_code_and_reason(self) -> None:
        text = str(ConnectionClosed(1009, "message over 5 bytes", True))
        self.assertIn("1009", text)
        self.assertIn("message over 5 bytes", text)

    def test_its_text_tells_a_clean_end_from_an_unclean_one(self) -> None:
        self.assertNotEqual(str(ConnectionClosed(1006, "", True)), str(ConnectionClosed(1006, "", False)))

    def test_its_text_without_a_reason_ends_with_the_code(self) -> None:
        self.assertTrue(str(ConnectionClosed(1005, "", True)).endswith("1005"))

    def test_copies_are_alike(self) -> None:
        error = ConnectionClosed(1000, "bye", False)
        for twin in (copy(error), pickle.loads(pickle.dumps(error))):
            self.assertEqual((twin.code, twin.reason, twin.clean), (1000, "bye", False))
