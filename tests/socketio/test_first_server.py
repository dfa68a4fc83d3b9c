"""Handshakes, paths, refusals and the end of protocol 1, at a real site."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import TestCase
from twisted.web.resource import Resource

from hunchensocket_tx import Settings
from tests.socketio.first_support import (
    Answer,
    FirstResource,
    Opened,
    ask,
    begin,
    packets,
    shake_hands,
)
from tests.support import connect, request_76, serve

TRANSPORTS = "websocket,htmlfile,xhr-polling,jsonp-polling"
EVIL = "http://evil.example"


class ServerCase(TestCase):
    """Serves a resource at ``/socket.io``."""

    timeout = 8

    async def serve(self, limits: Settings | None = None, **settings: Any) -> Any:
        """Serve it; return the address."""
        self.clock = Clock()
        self.opened = Opened()
        self.resource = FirstResource(self.opened, self.clock, limits=limits, **settings)
        root = Resource()
        root.putChild(b"socket.io", self.resource)
        self.addCleanup(self.end)
        return await serve(self, root)

    def end(self) -> None:
        """Check that nothing is left when all sessions are gone."""
        for session in tuple(self.resource.first.sessions.values()):
            session.disconnect()
        self.assertEqual(self.resource.first.sessions, {})


class HandshakeTests(ServerCase):
    """How sessions begin."""

    async def test_a_client_is_told_its_id_timeouts_and_transports(self) -> None:
        address = await self.serve()
        answer = await ask(self, address, "1/?t=123&token=x")
        self.assertEqual((answer.status, answer.fields["content-type"]), (200, "text/plain; charset=UTF-8"))
        sid, *rest = answer.text.split(":")
        self.assertEqual(rest, ["60", "60", TRANSPORTS])
        self.assertRegex(sid, r"\A[A-Za-z0-9_-]{20}\Z")
        session = self.opened.last.session
        self.assertEqual((session.sid, session.protocol, session.is_open), (sid, 1, True))
        self.assertEqual(session.handshake.query["token"], "x")
        self.assertEqual(self.resource.first.sessions, {sid: session})

    async def test_a_handshake_may_be_a_post_and_lack_the_slash(self) -> None:
        address = await self.serve()
        for path, body in (("1/", b""), ("1", None), ("1/?t=1", b"x")):
            self.assertIn(TRANSPORTS, (await ask(self, address, path, body)).text)

    async def test_only_what_is_served_is_offered(self) -> None:
        for settings, names in (
            ({"transports": ["polling"]}, "htmlfile,xhr-polling,jsonp-polling"),
            ({"transports": ["websocket"]}, "websocket"),
            ({"jsonp": False, "heartbeat_timeout": 1.5, "close_timeout": 2}, "websocket,xhr-polling"),
        ):
            address = await self.serve(**settings)
            answer = await ask(self, address, "1/")
            self.assertEqual(answer.text.split(":")[3], names)
        self.assertEqual(answer.text.split(":")[1:3], ["1.5", "2"])

    async def test_the_answer_may_be_a_script(self) -> None:
        address = await self.serve()
        answer = await ask(self, address, "1/?t=1&jsonp=12")
        self.assertEqual((answer.status, answer.fields["content-type"]), (200, "application/javascript"))
        sid = self.opened.last.session.sid
        self.assertEqual(answer.text, f'io.j[12]("{sid}:60:60:{TRANSPORTS}");')

    async def test_the_function_of_a_script_is_a_number(self) -> None:
        address = await self.serve()
        for index in ("", "x", "1]", "-1", "1" * 30, "%D9%A3"):
            self.assertEqual((await ask(self, address, f"1/?jsonp={index}")).status, 400)
        self.assertEqual(self.opened.listeners, [])

    async def test_a_cookie_may_carry_the_id(self) -> None:
        address = await self.serve(cookie="io")
        answer = await ask(self, address, "1/")
        sid = self.opened.last.session.sid
        self.assertEqual(answer.fields["set-cookie"], f"io={sid}; Path=/; HttpOnly; SameSite=Lax")

    async def test_another_version_is_refused(self) -> None:
        address = await self.serve()
        for path in ("2/", "0/xhr-polling/abc", "", "11"):
            answer = await ask(self, address, path)
            self.assertEqual((answer.status, answer.text), (500, "Protocol version not supported."))

    async def test_there_are_only_so_many_sessions(self) -> None:
        address = await self.serve(max_sessions=1)
        await shake_hands(self, address)
        answer = await ask(self, address, "1/")
        self.assertEqual((answer.status, answer.text), (503, "handshake error"))
        self.assertIn("retry-after", answer.fields)
        self.assertEqual((await ask(self, address, "1/?jsonp=1")).text, 'io.j[1](new Error("handshake error"));')

    async def test_a_listener_that_cannot_be_made_is_an_error(self) -> None:
        address = await self.serve()
        self.opened.then = lambda session: 1 / 0
        answer = await ask(self, address, "1/")
        self.assertEqual((answer.status, answer.text), (500, "handshake error"))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual(self.resource.first.sessions, {})


class PermissionTests(ServerCase):
    """Whom the application lets in."""

    async def test_the_application_may_refuse_clients(self) -> None:
        for given, status, message in (
            (False, 403, "handshake unauthorized"),
            ("not today", 403, "not today"),
            (None, 500, "handshake error"),
        ):
            address = await self.serve(allow_request=lambda request, given=given: given)
            answer = await ask(self, address, "1/")
            self.assertEqual((answer.status, answer.text), (status, message))
            script = await ask(self, address, "1/?jsonp=3")
            self.assertEqual((script.status, script.text), (200, f'io.j[3](new Error("{message}"));'))
            self.assertEqual(self.opened.listeners, [])
        self.assertEqual(len(self.flushLoggedErrors(TypeError)), 2)

    async def test_the_application_may_take_its_time(self) -> None:
        asked: list[Deferred[bool]] = []

        def allow(request: object) -> Deferred[bool]:
            asked.append(Deferred())
            return asked[-1]

        address = await self.serve(allow_request=allow, max_sessions=1)
        first, second = [await begin(self, address, "1/") for _ in range(2)]
        while len(asked) < 2:
            await ask(self, address, "0/")
        asked[0].callback(True)
        await first.closed
        self.assertIn(TRANSPORTS, Answer(first.data).text)
        asked[1].callback(True)  # others have come meanwhile
        await second.closed
        self.assertEqual(Answer(second.data).status, 503)

    async def test_who_leaves_meanwhile_gets_no_session(self) -> None:
        cancelled: Deferred[None] = Deferred()
        asked: Deferred[None] = Deferred()

        def allow(request: object) -> Deferred[bool]:
            asked.callback(None)
            return Deferred(lambda _: cancelled.callback(None))

        address = await self.serve(allow_request=allow)
        client = await begin(self, address, "1/")
        await asked
        client.abort()
        await cancelled
        self.assertEqual(self.opened.listeners, [])

    async def test_who_is_asked_about_when_all_sessions_end_gets_none(self) -> None:
        asked: list[object] = []

        def allow(request: object) -> Deferred[bool]:
            asked.append(request)
            return Deferred()

        address = await self.serve(allow_request=allow)
        client = await begin(self, address, "1/")
        while not asked:
            await ask(self, address, "0/")
        await self.resource.first.close("server shutting down")
        await client.closed
        self.assertEqual(Answer(client.data).status, 503)
        self.assertEqual(self.opened.listeners, [])


class OriginTests(ServerCase):
    """Which pages may connect."""

    async def test_pages_of_other_origins_are_refused(self) -> None:
        address = await self.serve()
        sid = await shake_hands(self, address)
        for path, body in (("1/", None), (f"1/xhr-polling/{sid}", None), (f"1/xhr-polling/{sid}", b"2::")):
            answer = await ask(self, address, path, body, Origin=EVIL)
            self.assertEqual((answer.status, answer.text), (403, "handshake bad origin"))
            self.assertNotIn("access-control-allow-origin", answer.fields)
        answer = await ask(self, address, "1/?jsonp=1", Origin=EVIL)
        self.assertEqual(answer.text, 'io.j[1](new Error("handshake bad origin"));')
        self.assertEqual(len(self.opened.listeners), 1)

    async def test_pages_that_may_connect_are_told_so_with_every_answer(self) -> None:
        page = "http://www.example.com"
        address = await self.serve(Settings(origins=[page]))
        sid = (await ask(self, address, "1/", Origin=page)).text.split(":")[0]
        for path, body in (
            ("1/", None),
            (f"1/xhr-polling/{sid}", None),
            (f"1/xhr-polling/{sid}", b"2::"),
            ("1/xhr-polling/unknown", None),
        ):
            answer = await ask(self, address, path, body, Origin=page)
            self.assertEqual(answer.status, 200)
            self.assertEqual(answer.fields["access-control-allow-origin"], page)
            self.assertEqual(answer.fields["access-control-allow-credentials"], "true")

    async def test_browsers_may_ask_before(self) -> None:
        page = "http://www.example.com"
        address = await self.serve(Settings(origins=[page]))
        for origin, status in ((page, 204), (EVIL, 403)):
            client = await begin(self, address, "1/xhr-polling/x", method="OPTIONS", Origin=origin)
            await client.closed
            self.assertEqual(client.status, status)

    async def test_scripts_for_pages_of_other_sites_are_refused(self) -> None:
        address = await self.serve()
        sid = await shake_hands(self, address)
        for path, expected in (
            ("1/?jsonp=1", 'io.j[1](new Error("handshake bad origin"));'),
            (f"1/jsonp-polling/{sid}?i=1", "handshake bad origin"),
            (f"1/htmlfile/{sid}", "handshake bad origin"),
        ):
            for name, value in (("Referer", f"{EVIL}/page"), ("Sec_Fetch_Site", "cross-site")):
                answer = await ask(self, address, path, None, **{name: value})
                self.assertEqual(answer.text, expected)

    async def test_there_may_be_no_scripts_at_all(self) -> None:
        address = await self.serve(jsonp=False)
        sid = await shake_hands(self, address)
        self.assertIn("new Error", (await ask(self, address, "1/?jsonp=1")).text)
        for path in (f"1/jsonp-polling/{sid}?i=1", f"1/htmlfile/{sid}"):
            answer = await ask(self, address, path)
            self.assertEqual((answer.status, answer.text), (400, "7:::0"))


class PathTests(ServerCase):
    """What is neither a handshake nor a request of a transport."""

    async def test_unknown_transports_are_refused(self) -> None:
        address = await self.serve()
        sid = await shake_hands(self, address)
        for path in (
            f"1/carrier-pigeon/{sid}",
            "1/xhr-polling",
            "1/xhr-polling/",
            f"1//{sid}",
            f"1/websocket/{sid}",
        ):
            answer = await ask(self, address, path)
            self.assertEqual((answer.status, answer.text), (400, "7:::0"))

    async def test_other_methods_are_refused(self) -> None:
        address = await self.serve()
        for method in ("PUT", "DELETE", "HEAD"):
            client = await begin(self, address, "1/", method=method)
            await client.closed
            self.assertEqual(client.status, 405)

    async def test_who_has_no_session_is_told_to_begin_one(self) -> None:
        address = await self.serve()
        self.assertEqual((await ask(self, address, "1/xhr-polling/abc")).text, "7:::1+0")
        self.assertEqual((await ask(self, address, "1/xhr-polling/abc", b"2::")).text, "7:::1+0")
        self.assertEqual((await ask(self, address, "1/jsonp-polling/abc?i=4")).text, 'io.j[4]("7:::1+0");')
        document = await ask(self, address, "1/htmlfile/abc")
        self.assertIn('<script>_("7:::1+0");</script>', document.text)

    async def test_a_session_ends_as_its_client_asks(self) -> None:
        address = await self.serve()
        for path in ("1//{}/?disconnect=1", "1/xhr-polling/{}?disconnect=true", "1/websocket/{}?disconnect="):
            sid = await shake_hands(self, address)
            await ask(self, address, f"1/xhr-polling/{sid}")
            waiting = await begin(self, address, f"1/xhr-polling/{sid}")
            self.assertEqual((await ask(self, address, "0/")).status, 500)
            answer = await ask(self, address, path.format(sid))
            self.assertEqual((answer.status, answer.body), (200, b""))
            await waiting.closed
            self.assertIn(packets(Answer(waiting.data)), (["0::"], ["7:::1+0"]))
            self.assertEqual(self.opened.last.reasons, ["client namespace disconnect"])
            self.assertEqual((await ask(self, address, path.format(sid))).status, 200)


class ClosingTests(ServerCase):
    """The server ends all sessions."""

    async def test_all_clients_are_told(self) -> None:
        address = await self.serve()
        sids = [await shake_hands(self, address) for _ in range(2)]
        for sid in sids:
            await ask(self, address, f"1/xhr-polling/{sid}")
        closed = self.resource.first.close("server shutting down")
        self.assertEqual([listener.reasons for listener in self.opened.listeners], [["server shutting down"]] * 2)
        self.assertEqual((await ask(self, address, "1/")).status, 503)  # until it is done
        for sid in sids:
            self.assertNoResult(closed)
            self.assertEqual((await ask(self, address, f"1/xhr-polling/{sid}")).text, "7:::1+0")
        self.successResultOf(closed)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        await shake_hands(self, address)

    async def test_who_does_not_come_is_not_waited_for(self) -> None:
        address = await self.serve()
        await shake_hands(self, address)
        closed = [self.resource.first.close("server shutting down") for _ in range(2)]
        self.clock.advance(4.9)
        self.assertNoResult(closed[0])
        self.clock.advance(0.1)
        for deferred in closed:
            self.successResultOf(deferred)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.successResultOf(self.resource.first.close("server shutting down"))


class WebSocketPathTests(ServerCase):
    """Requests for WebSockets that get none."""

    async def test_other_versions_and_paths_are_refused_before_there_is_a_websocket(self) -> None:
        address = await self.serve()
        sid = await shake_hands(self, address)
        for path, status in (
            ("2/websocket/x", 500),
            ("1/", 400),
            ("1/websocket/", 400),
            (f"1/xhr-polling/{sid}", 400),
        ):
            client = await connect(self, address)
            client.write(request_76(address, f"/socket.io/{path}"))
            await client.closed
            self.assertEqual(client.status, status)

    async def test_websockets_may_be_off(self) -> None:
        address = await self.serve(transports=["polling"])
        sid = await shake_hands(self, address)
        client = await connect(self, address)
        client.write(request_76(address, f"/socket.io/1/websocket/{sid}"))
        await client.closed
        self.assertEqual((client.status, client.body), (400, b"7:::0"))
