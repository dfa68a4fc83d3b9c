"""WebSockets of protocol 1, of several versions, at a real site."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred

from hunchensocket_tx import Settings, WebSocketStream, connect
from hunchensocket_tx.socketio.session import Outgoing
from hunchensocket_tx.socketio.wire.first import FIRST
from tests.socketio.first_support import ask, event, outgoing, shake_hands
from tests.socketio.test_first_server import ServerCase
from tests.support import RawClient, frame_76, open_76


class WebSocketCase(ServerCase):
    """Has clients of several versions."""

    async def dial(self, sid: str, version: int = 13, name: str = "websocket") -> WebSocketStream:
        """Open a WebSocket to a session."""
        url = f"ws://127.0.0.1:{self.address.port}/socket.io/1/{name}/{sid}"
        stream: WebSocketStream = await connect(url, version=version, proxy=None, compression=False)
        self.addCleanup(stream.when_closed)
        self.addCleanup(stream.abort)
        return stream

    async def open(self, version: int = 13, **settings: Any) -> WebSocketStream:
        """Serve, begin a session, and open its WebSocket."""
        self.address = await self.serve(**settings)
        sid = await shake_hands(self, self.address)
        self.session = self.opened.last.session
        return await self.dial(sid, version)

    async def lost(self) -> None:
        """Wait until the server knows that the WebSocket is gone."""
        while self.resource.streams:
            await ask(self, self.address, "0/")

    def say(self, text: str) -> None:
        """Send a message to the client."""
        self.session.send(outgoing(event("message", text)))


class WebSocketTests(WebSocketCase):
    """A packet is a message."""

    async def test_packets_are_messages_in_all_versions(self) -> None:
        for version in (13, 8, 7, 76):
            stream = await self.open(version)
            self.assertEqual(await stream.receive(), "1::")
            self.assertTrue(self.session.is_writable)
            self.assertEqual(self.session.transport_name, "websocket")
            stream.send('5:1+::{"name":"echo","args":["€😀"]}')
            stream.send("4:2::null")
            self.assertEqual(await stream.receive(), '6:::1+["\\u20ac\\ud83d\\ude00"]')
            self.assertEqual(await stream.receive(), "6:::2")
            self.say("€😀")
            self.assertEqual(await stream.receive(), "3:::€😀")

    async def test_flash_s_are_websockets(self) -> None:
        self.address = await self.serve()
        stream = await self.dial(await shake_hands(self, self.address), name="flashsocket")
        self.assertEqual(await stream.receive(), "1::")
        self.assertEqual(self.opened.last.session.transport_name, "flashsocket")

    async def test_several_packets_of_hixie_76_may_come_at_once(self) -> None:
        self.address = await self.serve()
        sid = await shake_hands(self, self.address)
        client: RawClient = await open_76(self, self.address, f"/socket.io/1/websocket/{sid}")
        await client.until(frame_76("1::"))
        client.write(frame_76("1::/a") + frame_76('5:7+:/a:{"name":"echo"}'))
        await client.until(frame_76("1::/a") + frame_76("6::/a:7"))
        client.write(b"\xff\x00")
        await client.closed
        await self.lost()
        self.clock.advance(60)
        self.assertEqual(self.opened.last.reasons, ["transport close"])

    async def test_an_unknown_session_is_told_so(self) -> None:
        self.address = await self.serve()
        for version in (13, 76):
            stream = await self.dial("unknown", version)
            self.assertEqual(await stream.receive(), "7:::1+0")
            await stream.when_closed()

    async def test_what_others_get_too_is_sent_as_it_is(self) -> None:
        stream = await self.open()
        await stream.receive()
        shared = Outgoing(FIRST.encode(event("e", 1)), shared=True)
        for _ in range(2):
            self.session.send(shared)
            self.assertEqual(await stream.receive(), '5:::{"name":"e","args":[1]}')
        self.assertEqual(len(shared.kept), 1)

    async def test_heartbeats_are_packets(self) -> None:
        stream = await self.open()
        await stream.receive()
        for _ in range(5):
            self.clock.advance(25)
            self.assertEqual(await stream.receive(), "2::")
            stream.send("2::")
            stream.send('5:::{"name":"echo"}')
            await stream.receive()
        self.clock.advance(25)
        self.clock.advance(60)
        await stream.when_closed()
        self.assertEqual(self.opened.last.reasons, ["ping timeout"])


class EndingTests(WebSocketCase):
    """How WebSockets and sessions end."""

    async def test_the_end_of_a_session_is_told_and_its_websocket_closed(self) -> None:
        for version in (13, 76):
            stream = await self.open(version)
            stream.send('5:::{"name":"close"}')
            self.assertEqual([message async for message in stream], ["1::", "0::"])
            self.assertEqual(self.opened.last.reasons, ["server namespace disconnect"])
            self.assertEqual(self.resource.first.sessions, {})

    async def test_a_client_may_say_that_it_leaves(self) -> None:
        stream = await self.open()
        stream.send("0::")
        await stream.when_closed()
        self.assertEqual(self.opened.last.reasons, ["client namespace disconnect"])

    async def test_bad_packets_end_the_session(self) -> None:
        for bad in ("nonsense", b"3:::x", "5:::[]"):
            stream = await self.open()
            stream.send(bad)
            self.assertEqual([message async for message in stream], ["1::", "0::"])
            self.assertEqual(self.opened.last.reasons, ["parse error"])

    async def test_a_session_lives_on_without_its_websocket_for_some_time(self) -> None:
        for version, end in ((13, "close"), (13, "abort"), (76, "close")):
            stream = await self.open(version)
            await stream.receive()
            getattr(stream, end)()
            await self.lost()
            self.say("a")
            self.say("b")
            sid = self.session.sid
            again = await self.dial(sid)
            self.assertEqual([await again.receive() for _ in range(2)], ["3:::a", "3:::b"])
            again.abort()
            await self.lost()
            self.clock.advance(60)
            self.assertEqual(self.opened.last.reasons, ["transport close"])
            self.assertEqual(self.clock.getDelayedCalls(), [])

    async def test_a_page_that_is_left_takes_the_session_along(self) -> None:
        stream = await self.open()
        stream.close(1001)
        await self.opened.last.closed
        self.assertEqual(self.opened.last.reasons, ["transport close"])

    async def test_a_websocket_that_broke_the_rules_takes_the_session_along(self) -> None:
        stream = await self.open(max_http_buffer_size=1000)
        stream.send("3:::" + "x" * 1000)
        self.assertEqual((await stream.when_closed()).code, 1009)
        await self.opened.last.closed
        self.assertEqual(self.opened.last.reasons, ["transport error"])

    async def test_a_newer_websocket_replaces_the_older(self) -> None:
        old = await self.open()
        await old.receive()
        new = await self.dial(self.session.sid)
        await old.when_closed()
        self.say("x")
        self.assertEqual(await new.receive(), "3:::x")
        answer = await ask(self, self.address, f"1/xhr-polling/{self.session.sid}", b"3:::y")
        self.assertEqual(answer.text, "1")
        self.assertEqual(self.opened.last.packets, [event("message", "y")])

    async def test_a_poll_replaces_a_websocket(self) -> None:
        old = await self.open()
        await old.receive()
        polling = Deferred.fromCoroutine(ask(self, self.address, f"1/xhr-polling/{self.session.sid}"))
        await old.when_closed()
        self.say("x")
        self.assertEqual((await polling).text, "3:::x")
        self.assertEqual(self.session.transport_name, "xhr-polling")


class SlowTests(WebSocketCase):
    """A client that does not read."""

    timeout = 20

    async def test_it_is_let_go(self) -> None:
        self.address = await self.serve(Settings(max_send_buffer=100_000))
        sid = await shake_hands(self, self.address)
        session = self.opened.last.session
        client = await open_76(self, self.address, f"/socket.io/1/websocket/{sid}")
        await client.until(frame_76("1::"))
        transport: Any = client.transport
        transport.pauseProducing()
        text = "x" * 60_000
        for _ in range(1000):
            if not session.is_writable:
                break
            session.send(outgoing(event("message", text)))
        self.assertFalse(session.is_writable)
        for _ in range(5):
            session.send(outgoing(event("message", text)))
        self.assertFalse(any(stream.is_open for stream in self.resource.streams))
        self.clock.advance(5)
        await ask(self, self.address, "0/")
        self.assertEqual(self.opened.last.reasons, ["transport error"])
