"""Tests of hunchensocket_tx.plain_socket."""

from __future__ import annotations

import socket

from twisted.internet.address import IPv4Address
from twisted.trial.unittest import SynchronousTestCase

from hunchensocket_tx.plain_socket import PlainSocket

PEER, HOST = IPv4Address("TCP", "192.0.2.1", 1), IPv4Address("TCP", "192.0.2.2", 2)


class PlainSocketTest(SynchronousTestCase):
    """What a transport tells about its socket, and lets be set."""

    def setUp(self) -> None:
        self.handle = socket.socket()
        self.addCleanup(self.handle.close)
        self.plain = PlainSocket(self.handle, PEER, HOST)

    def test_it_tells_what_it_was_told(self) -> None:
        self.assertEqual((self.plain.getPeer(), self.plain.getHost()), (PEER, HOST))
        self.assertIs(self.plain.getHandle(), self.handle)

    def test_addresses_are_known_also_when_the_socket_is_closed(self) -> None:
        self.handle.close()
        self.assertEqual((self.plain.getPeer(), self.plain.getHost()), (PEER, HOST))

    def test_what_is_set_is_what_the_socket_does(self) -> None:
        for name, level, option in (
            ("TcpNoDelay", socket.IPPROTO_TCP, socket.TCP_NODELAY),
            ("TcpKeepAlive", socket.SOL_SOCKET, socket.SO_KEEPALIVE),
        ):
            for wanted in (True, False, True):
                with self.subTest(name=name, wanted=wanted):
                    getattr(self.plain, f"set{name}")(wanted)
                    self.assertIs(getattr(self.plain, f"get{name}")(), wanted)
                    self.assertEqual(bool(self.handle.getsockopt(level, option)), wanted)

    def test_it_has_no_other_fields(self) -> None:
        self.assertFalse(hasattr(self.plain, "__dict__"))
