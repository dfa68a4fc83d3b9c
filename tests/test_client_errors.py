"""connect() fails: each way has its exception, with the mend in the text, and leaves nothing behind."""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectBindError
from twisted.internet.task import Clock

from hunchensocket_tx import (
    CannotConnect,
    ConnectionClosed,
    ConnectTimeout,
    HandshakeFailed,
    HandshakeRefused,
    HandshakeTimeout,
    InvalidSetting,
    InvalidURL,
    NameNotFound,
    NotListening,
    Reject,
    VersionRefused,
)
from tests.client_support import VERSIONS, ClientCase, hixie_head, http_answer, switching, tell_end
from tests.harness import turns, turns_until

GARBAGE = (b"SSH-2.0-OpenSSH\r\n", b"\x00\x00\x12\x04\x00\x00\x00\x00\x00", b"HTTP/2 101 X\r\n\r\n", b"\r\n\r\n")


def free_port() -> int:
    """Return a port of 127.0.0.1 at which nobody listens."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port: int = unused.getsockname()[1]
        return port


class NeverConnects:
    """An endpoint that never gets anywhere."""

    def __init__(self) -> None:
        self.cancelled = 0

    def connect(self, factory: Any) -> Deferred[Any]:
        """Never fire."""
        return Deferred(self._cancel)

    def _cancel(self, connecting: Deferred[Any]) -> None:
        self.cancelled += 1


class FailsToConnect:
    """An endpoint that fails with an exception."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    async def _fail(self) -> None:
        raise self._error

    def connect(self, factory: Any) -> Deferred[Any]:
        """Fail."""
        return Deferred.fromCoroutine(self._fail())


class UnreachableTests(ClientCase):
    """The server cannot be reached."""

    async def test_a_name_that_nobody_knows(self) -> None:
        await self.refused(self.connect("ws://nowhere.invalid/"), NameNotFound, "nowhere.invalid", "check the URL")

    async def test_nobody_listens(self) -> None:
        port = free_port()
        await self.refused(
            self.connect(f"ws://127.0.0.1:{port}/"), NotListening, f"127.0.0.1, port {port}", "server runs"
        )

    async def test_no_unix_socket_is_there(self) -> None:
        await self.refused(self.connect("ws+unix:/not/there.sock"), CannotConnect, "/not/there.sock")

    async def test_tcp_never_answers(self) -> None:
        clock, endpoint = Clock(), NeverConnects()
        connecting = self.connect("ws://h:81/", endpoint=endpoint, reactor=clock, connect_timeout=3)
        clock.advance(2.9)
        self.assertNoResult(connecting)
        clock.advance(0.2)
        await self.refused(connecting, ConnectTimeout, "h, port 81", "3 seconds", "connect_timeout")
        self.assertEqual((endpoint.cancelled, clock.getDelayedCalls()), (1, []))

    async def test_other_errors_of_the_system(self) -> None:
        for error in (ConnectBindError(string="no port left"), OSError("no port left")):
            with self.subTest(error=error):
                endpoint = FailsToConnect(error)
                found = await self.refused(
                    self.connect("ws://h/", endpoint=endpoint), CannotConnect, "h, port 80", "no port left"
                )
                self.assertIs(found.__cause__, error)

    async def test_a_mistake_in_an_endpoint_is_shown_as_it_is(self) -> None:
        await self.refused(self.connect("ws://h/", endpoint=FailsToConnect(KeyError("x"))), KeyError)

    async def test_nothing_is_tried_with_what_cannot_be_right(self) -> None:
        for kind, url, changes in (
            (InvalidURL, "http://h/", {}),
            (InvalidURL, "ws://h/#", {}),
            (InvalidURL, "ws://h/", {"proxy": "ftp://h/", "endpoint": None}),
            (InvalidSetting, "ws://h/", {"version": 14}),
            (InvalidSetting, "ws://h/", {"version": 76, "subprotocols": ["a", "b"]}),
            (InvalidSetting, "ws://h/", {"connect_timeout": 0}),
            (ValueError, "ws://h/", {"headers": {"Host": "x"}}),
            (ValueError, "ws://h/", {"headers": {"X": "a\r\nb"}}),
            (ValueError, "ws://h/", {"subprotocols": ["a b"]}),
            (TypeError, "ws://h/", {"no_such_setting": 1}),
        ):
            with self.subTest(url, **changes):
                endpoint = FailsToConnect(AssertionError("it was tried"))
                await self.assertFailure(self.connect(url, **{"endpoint": endpoint, **changes}), kind)


class RefusalTests(ClientCase):
    """The server answers as to any request."""

    async def test_the_statuses_that_a_user_meets_first(self) -> None:
        for status, word in (
            ("400 Bad Request", "version=76"),
            ("401 Unauthorized", "user:password@"),
            ("403 Forbidden", "origin=..."),
            ("404 Not Found", "check the URL"),
            ("200 OK", "no WebSocket at this path"),
            ("302 Found\r\nLocation: /x", "max_redirects"),
            ("500 Internal Server Error", "log"),
            ("503 Service Unavailable", "later"),
        ):
            with self.subTest(status):
                site = await self.scripted(lambda request, status=status: http_answer(status, body=b"why"))  # type: ignore[misc]
                url = f"ws://127.0.0.1:{site.port}/"
                error = await self.refused(self.connect(url), HandshakeRefused, status.split("\r")[0], word)
                self.assertEqual((error.status, error.body), (int(status[:3]), b"why"))

    async def test_status_fields_and_body_are_inside(self) -> None:
        url = await self.serve_websockets(lambda request: Reject(429, "slow down", {"Retry-After": "7"}))
        for version in VERSIONS:
            with self.subTest(version=version):
                error = await self.refused(self.connect(url, version=version), HandshakeRefused, "slow down")
                self.assertEqual((error.status, error.body), (429, b"slow down"))
                self.assertEqual(list(error.headers["retry-after"]), ["7"])

    async def test_the_start_of_a_large_body_is_kept(self) -> None:
        site = await self.scripted(lambda request: http_answer("404 Not Found", body=b"x" * 1000000))
        error = await self.refused(self.connect(f"ws://127.0.0.1:{site.port}"), HandshakeRefused)
        self.assertEqual(error.body, b"x" * 4096)
        await site.servers[0].lost

    async def test_a_body_may_end_with_the_connection(self) -> None:
        answer = b"HTTP/1.0 404 Not Found\r\n\r\nwhy"
        site = await self.scripted(lambda request: answer, lambda server: server.transport.loseConnection())
        error = await self.refused(self.connect(f"ws://127.0.0.1:{site.port}"), HandshakeRefused, "404")
        self.assertEqual(error.body, b"why")

    async def test_what_is_there_of_a_refusal_counts_when_time_is_over(self) -> None:
        site = await self.scripted(lambda request: b"HTTP/1.1 404 Not Found\r\nContent-Length: 9\r\n\r\nwhy")
        connecting = self.connect(f"ws://127.0.0.1:{site.port}", handshake_timeout=0.05)
        error = await self.refused(connecting, HandshakeRefused, "404")
        self.assertEqual(error.body, b"why")

    async def test_no_version_in_common(self) -> None:
        for spoken, asked, word in (((76,), 13, "76"), ((13,), 8, "version=13"), ((8,), 13, "version=8")):
            with self.subTest(spoken=spoken, asked=asked):
                url = await self.serve_websockets(versions=spoken)
                error = await self.assertFailure(self.connect(url, version=asked), HandshakeRefused)
                self.assertIn(word, str(error))
                if spoken != (76,):
                    self.assertIs(type(error), VersionRefused)


class MisbehaviourTests(ClientCase):
    """What answers is no WebSocket server, or none that keeps to the protocol."""

    async def test_what_is_no_web_server(self) -> None:
        for answer in GARBAGE:
            with self.subTest(answer):
                site = await self.scripted(lambda request, answer=answer: answer)  # type: ignore[misc]
                await self.refused(self.connect(f"ws://127.0.0.1:{site.port}"), HandshakeFailed)
                await site.servers[0].lost

    async def test_a_handshake_that_is_never_answered(self) -> None:
        site = await self.scripted(lambda request: None)
        connecting = self.connect(f"ws://127.0.0.1:{site.port}", handshake_timeout=0.05)
        await self.refused(connecting, HandshakeTimeout, "0.05 seconds", "handshake_timeout")
        await site.servers[0].lost

    async def test_the_last_sixteen_bytes_of_hixie_76_never_come(self) -> None:
        for lane in (True, False):
            with self.subTest(lane=lane):
                site = await self.scripted(hixie_head)
                url = f"ws://127.0.0.1:{site.port}"
                connecting = self.connect(url, version=76, handshake_timeout=0.05, fast_lane=lane)
                await self.refused(connecting, HandshakeTimeout, "handshake_timeout")
                await site.servers[0].lost

    async def test_the_last_sixteen_bytes_of_hixie_76_are_wrong(self) -> None:
        site = await self.scripted(
            lambda request: hixie_head(request) + b"?" * 16, lambda server: server.transport.loseConnection()
        )
        await self.refused(self.connect(f"ws://127.0.0.1:{site.port}", version=76), HandshakeFailed, "handshake")

    async def test_the_connection_ends_anywhere_in_the_answer(self) -> None:
        size = len(switching(b""))
        for length in (0, 1, 7, 12, 20, size // 2, size - 1):
            with self.subTest(length=length):
                site = await self.scripted(
                    lambda request, length=length: switching(request)[:length],  # type: ignore[misc]
                    lambda server: server.transport.loseConnection(),
                )
                connecting = self.connect(f"ws://127.0.0.1:{site.port}")
                await self.refused(connecting, HandshakeFailed, "closed the connection")

    async def test_a_server_that_drops_the_connection_at_once(self) -> None:
        site = await self.scripted(lambda request: None, lambda server: server.transport.abortConnection())
        for version in VERSIONS:
            error = await self.assertFailure(
                self.connect(f"ws://127.0.0.1:{site.port}", version=version), HandshakeFailed
            )
            self.assertIn("without an answer", str(error))

    async def test_a_server_that_agrees_and_closes(self) -> None:
        site = await self.scripted(switching, lambda server: server.transport.loseConnection())
        stream = await self.connect(f"ws://127.0.0.1:{site.port}")
        error = await self.refused(stream.receive(), ConnectionClosed)
        self.assertEqual((error.code, error.clean), (1006, False))

    async def test_a_hixie_server_that_agrees_and_closes(self) -> None:
        site = await self.scripted(hixie_head, lambda server: server.transport.loseConnection())
        connecting = self.connect(f"ws://127.0.0.1:{site.port}", version=76)
        await self.refused(connecting, HandshakeFailed, "opening handshake")

    async def test_nothing_unasked_for_is_accepted(self) -> None:
        for line in ("Sec-WebSocket-Protocol: x", "Sec-WebSocket-Extensions: x"):
            with self.subTest(line):
                site = await self.scripted(lambda request, line=line: switching(request, line))  # type: ignore[misc]
                await self.refused(self.connect(f"ws://127.0.0.1:{site.port}"), HandshakeFailed)

    async def test_an_answer_in_single_bytes(self) -> None:
        async def drip(server: Any) -> None:
            for byte in switching(server.request) + b"\x81\x05hello":
                server.transport.write(bytes([byte]))
                await turns(1)

        site = await self.scripted(lambda request: None, lambda server: Deferred.fromCoroutine(drip(server)))
        stream = await self.connect(f"ws://127.0.0.1:{site.port}")
        self.assertEqual(await stream.receive(), "hello")
        await turns()


class CancellingTests(ClientCase):
    """Cancelling leaves nothing: trial looks for calls that are left over."""

    async def given_up(self, connecting: Deferred[Any]) -> None:
        """Cancel, and see that it was."""
        connecting.cancel()
        await self.assertFailure(connecting, CancelledError)

    async def test_while_the_name_is_looked_up(self) -> None:
        await self.given_up(self.connect("ws://nowhere.invalid/"))

    async def test_while_tcp_is_not_there(self) -> None:
        clock, endpoint = Clock(), NeverConnects()
        await self.given_up(self.connect("ws://h/", endpoint=endpoint, reactor=clock))
        self.assertEqual((endpoint.cancelled, clock.getDelayedCalls()), (1, []))

    async def test_while_tcp_is_being_connected(self) -> None:
        site = await self.scripted(switching)
        await self.given_up(self.connect(f"ws://127.0.0.1:{site.port}"))

    async def test_while_an_answer_is_awaited(self) -> None:
        for answer in (b"", b"HTTP/1.1 101", b"HTTP/1.1 404 Not Found\r\nContent-Length: 9\r\n\r\n"):
            with self.subTest(answer):
                site = await self.scripted(lambda request, answer=answer: answer)  # type: ignore[misc]
                connecting = self.connect(f"ws://127.0.0.1:{site.port}")
                await turns_until(lambda site=site: bool(site.requests))  # type: ignore[misc]
                await turns()
                await self.given_up(connecting)
                await site.servers[0].lost

    async def test_while_the_end_of_hixie_76_is_awaited(self) -> None:
        for lane in (True, False):
            with self.subTest(lane=lane):
                site = await self.scripted(hixie_head)
                connecting = self.connect(f"ws://127.0.0.1:{site.port}", version=76, fast_lane=lane)
                await turns_until(lambda site=site: bool(site.requests))  # type: ignore[misc]
                await turns()
                await self.given_up(connecting)
                await site.servers[0].lost

    async def test_while_tls_is_awaited(self) -> None:
        site = await self.scripted(lambda request: None)
        connecting = self.connect(f"wss://127.0.0.1:{site.port}")
        await turns_until(lambda: any(server.data for server in site.servers))
        await self.given_up(connecting)
        await site.servers[0].lost

    async def test_after_the_end_it_does_nothing(self) -> None:
        ended: Deferred[Any] = Deferred()
        connecting = self.connect(await self.serve_websockets(tell_end(ended)))
        stream = await connecting
        connecting.cancel()
        await turns()
        self.assertTrue(stream.is_open)
