"""Tests of hunchensocket_tx.socketio.engine.server: who may have a session, and what others are told."""

from __future__ import annotations

from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase
from twisted.web.client import Agent, readBody
from twisted.web.resource import Resource
from twisted.web.server import Request

from hunchensocket_tx import HandshakeRefused, connect
from tests.socketio.engine_support import EngineCase, EngineResource, Opened
from tests.support import open_76, serve


class RefusalTests(EngineCase):
    """The table of errors."""

    def refused(self, method: str, query: str, **fields: str) -> tuple[int, object, str]:
        """Return status, code and message of an answer to a plain request."""
        answer = self.request(method, query, **fields)
        self.assertEqual(answer.fields["content-type"], "application/json")
        return answer.status, answer.json.get("code"), answer.json["message"]

    def refused_websocket(self, query: str, **options: Any) -> tuple[int, bytes]:
        """Return status and body of an answer to a request for a WebSocket."""
        with self.assertRaises(HandshakeRefused) as raised:
            self.memory.result(self.memory.connect(f"/engine.io/?{query}", **options))
        return raised.exception.status, raised.exception.body

    def test_plain_requests_are_told_what_is_wrong(self) -> None:
        self.serve()
        for method, query, expected in (
            ("GET", "EIO=4", (400, 0, "Transport unknown")),
            ("GET", "EIO=4&transport=abc", (400, 0, "Transport unknown")),
            ("GET", "EIO=4&transport=polling&sid=abc", (400, 1, "Session ID unknown")),
            ("POST", "EIO=4&transport=polling&sid=%E2%82%AC", (400, 1, "Session ID unknown")),
            ("POST", "EIO=4&transport=polling", (400, 2, "Bad handshake method")),
            ("PUT", "EIO=4&transport=polling", (400, 2, "Bad handshake method")),
            ("GET", "EIO=4&transport=websocket", (400, 3, "Bad request")),
            ("GET", "transport=polling", (400, 5, "Unsupported protocol version")),
            ("GET", "EIO=5&transport=polling", (400, 5, "Unsupported protocol version")),
            ("GET", "EIO=1&transport=polling", (400, 5, "Unsupported protocol version")),
        ):
            self.assertEqual(self.refused(method, query), expected, query)
        self.assertEqual(self.engine.sessions, {})

    def test_requests_for_websockets_are_told_likewise(self) -> None:
        self.serve()
        for query, code in (
            ("EIO=4", 0),
            ("EIO=4&transport=abc", 0),
            ("EIO=4&transport=websocket&sid=abc", 1),
            ("EIO=4&transport=polling", 3),
            ("transport=websocket", 5),
            ("EIO=5&transport=websocket", 5),
        ):
            status, body = self.refused_websocket(query)
            self.assertEqual((status, body[:9]), (400, b'{"code":%d' % code), query)
        self.assertEqual(self.engine.sessions, {})

    def test_clients_of_1_0_say_2_and_mean_3(self) -> None:
        self.serve()
        self.request("GET", "EIO=2&transport=polling")
        self.assertEqual(self.session.protocol, 3)

    def test_what_is_switched_off_is_not_served(self) -> None:
        self.serve(protocols=[4])
        self.assertEqual(self.refused("GET", "EIO=3&transport=polling")[1], 5)
        self.serve(transports=["websocket"])
        self.assertEqual(self.refused("GET", "EIO=4&transport=polling")[1], 0)
        self.assertFalse(self.websocket().closed)
        self.serve(transports=["polling"])
        self.assertEqual(self.refused_websocket("EIO=4&transport=websocket")[0], 400)
        self.serve(allow_upgrades=False)
        session = self.handshake().replace("polling", "websocket")
        self.assertEqual(self.refused_websocket(session)[0], 400)
        self.assertTrue(self.session.is_open)

    def test_there_is_a_limit_to_sessions(self) -> None:
        self.serve(max_sessions=2)
        session = self.handshake()
        socket = self.websocket()
        answer = self.request("GET", "EIO=4&transport=polling")
        self.assertEqual((answer.status, answer.fields["retry-after"]), (503, "5"))
        self.assertEqual(self.refused_websocket("EIO=4&transport=websocket")[0], 503)
        socket.stream.close()
        self.memory.settle()
        self.handshake()
        self.assertEqual(self.post(session, "4a").status, 200)

    def test_no_two_sessions_have_the_same_id_and_all_are_long(self) -> None:
        self.serve()
        for _ in range(20):
            self.handshake()
            self.websocket()
        self.assertEqual({len(sid) for sid in self.engine.sessions}, {20})
        self.assertEqual(len(self.engine.sessions), 40)

    def test_a_cookie_carries_the_id_if_that_is_wanted(self) -> None:
        self.serve(cookie="io")
        answer = self.request("GET", "EIO=4&transport=polling")
        self.assertEqual(answer.fields["set-cookie"], f"io={self.session.sid}; Path=/; HttpOnly; SameSite=Lax")
        self.serve()
        self.assertNotIn("set-cookie", self.request("GET", "EIO=4&transport=polling").fields)


class PermissionTests(EngineCase):
    """The setting allow_request."""

    def ask(self, answer: Any) -> int:
        """Return the status of the answer to a handshake, when the application gives an answer."""
        self.serve(allow_request=lambda request: answer)
        return self.request("GET", "EIO=4&transport=polling").status

    def test_the_application_may_refuse_with_a_reason(self) -> None:
        self.assertEqual(self.ask(True), 200)
        self.serve(allow_request=lambda request: "not today")
        answer = self.request("GET", "EIO=4&transport=polling")
        self.assertEqual((answer.status, answer.json), (403, {"code": 4, "message": "not today"}))
        with self.assertRaises(HandshakeRefused) as raised:
            self.memory.result(self.memory.connect("/engine.io/?EIO=4&transport=websocket"))
        self.assertEqual((raised.exception.status, raised.exception.body), (403, answer.body))
        self.serve(allow_request=lambda request: False)
        self.assertEqual(self.request("GET", "EIO=4&transport=polling").json, {"code": 4, "message": "Forbidden"})
        self.assertEqual(self.engine.sessions, {})

    def test_it_is_asked_about_handshakes_only(self) -> None:
        asked: list[Request] = []
        self.serve(allow_request=lambda request: not asked.append(request))  # type: ignore[func-returns-value]
        session = self.handshake()
        self.post(session, "4a")
        self.probe(session).send("2probe", "5")
        self.assertEqual(len(asked), 1)

    def test_it_may_take_its_time(self) -> None:
        async def later(answer: bool) -> bool:
            await waiting
            return answer

        waiting: Deferred[None] = Deferred()
        self.serve(allow_request=lambda request: later(b"ok" in request.uri))
        yes = self.request("GET", "EIO=4&transport=polling&ok")
        no = self.request("GET", "EIO=4&transport=polling")
        self.assertFalse(yes.answered or no.answered)
        waiting.callback(None)
        self.memory.settle()
        self.assertEqual((yes.status, no.status), (200, 403))

    def test_a_client_that_leaves_meanwhile_is_not_waited_for(self) -> None:
        cancelled: list[Any] = []
        self.serve(allow_request=lambda request: Deferred(cancelled.append))
        self.request("GET", "EIO=4&transport=polling").drop()
        self.memory.settle()
        self.assertEqual(len(cancelled), 1)
        self.assertEqual(self.engine.sessions, {})

    def test_what_is_no_answer_is_an_error_of_the_server(self) -> None:
        self.assertEqual(self.ask(None), 500)
        self.assertEqual(len(self.flushLoggedErrors(TypeError)), 1)


class ClosingTests(EngineCase):
    """The end of the server."""

    def setUp(self) -> None:
        self.serve()

    def test_all_are_told_and_then_it_is_done(self) -> None:
        waiting = self.get(self.handshake())
        socket = self.websocket()
        late = self.handshake()
        closed = self.engine.close("server shutting down")
        self.memory.settle()
        self.assertEqual((waiting.body, socket.closed), (b"1", True))
        self.assertEqual([one.reasons for one in self.opened.listeners], [["server shutting down"]] * 3)
        self.assertNoResult(closed)
        self.assertEqual(self.request("GET", "EIO=4&transport=polling").status, 503)
        self.assertEqual(self.get(late).body, b"1")
        self.assertIsNone(self.successResultOf(closed))
        self.assertEqual(self.request("GET", "EIO=4&transport=polling").status, 200)

    def test_nobody_is_waited_for_too_long(self) -> None:
        self.handshake()
        closed = self.engine.close("server shutting down")
        again = self.engine.close("server shutting down")
        self.memory.advance(self.resource.settings.closing_timeout)
        self.assertEqual((self.successResultOf(closed), self.successResultOf(again)), (None, None))
        self.assertIsNone(self.successResultOf(self.engine.close("server shutting down")))

    def test_clients_that_vanish_without_a_word_are_gone_after_their_time(self) -> None:
        for number in range(100):
            session = self.handshake(3 + number % 2)
            if number % 3:
                self.get(session)
        self.memory.advance(46)
        self.assertEqual((self.engine.sessions, self.session_timers()), ({}, []))
        self.assertEqual({tuple(one.reasons) for one in self.opened.listeners}, {("ping timeout",)})


class SocketTests(TestCase):
    """All of it over real sockets."""

    async def test_sessions_over_tcp(self) -> None:
        opened = Opened(echo=True)
        resource = EngineResource(opened)
        self.addCleanup(resource.close_all)
        root = Resource()
        root.putChild(b"engine.io", resource)
        address = await serve(self, root)
        url = f"http://127.0.0.1:{address.port}/engine.io/?EIO=4&transport="
        agent: Any = Agent(reactor)
        body = await readBody(await agent.request(b"GET", f"{url}polling".encode()))
        session = next(iter(resource.engine.sessions.values()))
        self.assertIn(session.sid.encode(), body)
        stream = await connect(f"{url}websocket&sid={session.sid}".replace("http", "ws", 1))
        waiting = agent.request(b"GET", f"{url}polling&sid={session.sid}".encode())
        stream.send("2probe")
        self.assertEqual(await stream.receive(), "3probe")
        self.assertEqual(await readBody(await waiting), b"6")
        stream.send("5")
        stream.send("4€")
        self.assertEqual(await stream.receive(), "4€")
        stream.close()
        self.assertEqual(await opened.last.closed, "transport close")
        self.assertEqual(resource.engine.sessions, {})

    async def test_hixie_76_over_tcp(self) -> None:
        opened = Opened(echo=True)
        resource = EngineResource(opened)
        address = await serve(self, resource)
        client = await open_76(self, address, "/?EIO=3&transport=websocket")
        client.write(b"\x00b4AQI=\xff")
        await client.until(b"\x00b4AQI=\xff")
        client.write(b"\xff\x00")
        self.assertEqual(await opened.last.closed, "transport close")
        self.assertEqual(resource.engine.sessions, {})
