"""connect(): redirections, and the turns in which clients of one server open their WebSockets."""

from __future__ import annotations

from http.cookiejar import CookieJar
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint

from hunchensocket_tx import ClientTLS, HandshakeFailed, HandshakeRefused, Reject, WebSocketFactory
from tests.client_support import ClientCase, ScriptedSite, field, http_answer, switching
from tests.harness import Issued, echo, turns, turns_until
from tests.support import serve


class RedirectCase(ClientCase):
    """A server that points elsewhere."""

    async def pointing(self, location: str, status: int = 302, path: bytes = b"/old") -> ScriptedSite:
        """Serve redirections at one path, and WebSockets at all others."""

        def answer(request: bytes) -> bytes:
            if request.split()[1] == path:
                return http_answer(f"{status} Elsewhere", f"Location: {location}")
            return switching(request)

        return await self.scripted(answer)


class FollowingTests(RedirectCase):
    """Redirections are followed, if that is wanted."""

    async def test_by_default_they_are_not(self) -> None:
        site = await self.pointing("/new")
        connecting = self.connect(f"ws://127.0.0.1:{site.port}/old")
        error = await self.refused(connecting, HandshakeRefused, "/new", "max_redirects")
        self.assertEqual((error.status, list(error.headers["location"])), (302, ["/new"]))

    async def test_all_kinds_of_them_are_followed_with_all_that_was_asked(self) -> None:
        for status in (301, 302, 303, 307, 308):
            with self.subTest(status=status):
                site = await self.pointing("new?x", status)
                url = f"ws://u:p@127.0.0.1:{site.port}/old"
                await self.connect(url, max_redirects=1, headers={"X-A": "1"}, subprotocols=["a"])
                first, second = site.requests
                self.assertEqual(second.split()[1], b"/new?x")
                for name in ("host", "authorization", "x-a", "sec-websocket-protocol"):
                    self.assertEqual(field(first, name), field(second, name))
                    self.assertIsNotNone(field(second, name))
                self.assertNotEqual(field(first, "sec-websocket-key"), field(second, "sec-websocket-key"))

    async def test_absolute_ones_of_http_and_ws(self) -> None:
        target = await self.scripted(switching)
        for scheme in ("http", "ws", "HTTP"):
            with self.subTest(scheme):
                site = await self.pointing(f"{scheme}://127.0.0.1:{target.port}/new#fragment")
                await self.connect(f"ws://127.0.0.1:{site.port}/old", max_redirects=1)
                self.assertEqual(target.requests[-1].split()[1], b"/new")

    async def test_other_statuses_are_not_followed(self) -> None:
        site = await self.pointing("/new", 300)
        await self.refused(
            self.connect(f"ws://127.0.0.1:{site.port}/old", max_redirects=1), HandshakeRefused, "300"
        )

    async def test_a_loop_ends_at_the_limit(self) -> None:
        site = await self.pointing("/old")
        connecting = self.connect(f"ws://127.0.0.1:{site.port}/old", max_redirects=3)
        await self.refused(connecting, HandshakeRefused, "302")
        self.assertEqual(len(site.requests), 4)

    async def test_the_connection_of_a_redirection_is_closed(self) -> None:
        site = await self.pointing("/new")
        await self.connect(f"ws://127.0.0.1:{site.port}/old", max_redirects=1)
        await site.servers[0].lost

    async def test_hixie_76_follows_them_too(self) -> None:
        target = await self.serve_websockets()
        site = await self.pointing(target.replace("ws", "http") + "/")
        stream = await self.connect(f"ws://127.0.0.1:{site.port}/old", max_redirects=1, version=76)
        stream.send("hello")
        self.assertEqual(await stream.receive(), "hello")


class TrustTests(RedirectCase):
    """A redirection gives nothing away."""

    async def test_another_origin_gets_neither_credentials_nor_headers(self) -> None:
        target = await self.scripted(switching)
        site = await self.pointing(f"http://127.0.0.1:{target.port}/new")
        url = f"ws://u:p@127.0.0.1:{site.port}/old"
        await self.connect(url, max_redirects=1, headers={"Cookie": "a=1", "X-Token": "1"})
        for name in ("authorization", "cookie", "x-token"):
            self.assertIsNotNone(field(site.requests[0], name))
            self.assertIsNone(field(target.requests[0], name))

    async def test_it_does_not_get_credentials_of_the_location_either(self) -> None:
        target = await self.scripted(switching)
        site = await self.pointing(f"http://u:p@127.0.0.1:{target.port}/new")
        await self.connect(f"ws://127.0.0.1:{site.port}/old", max_redirects=1)
        self.assertIsNone(field(target.requests[0], "authorization"))

    async def test_a_jar_knows_what_belongs_to_whom(self) -> None:
        def first(request: Any) -> Reject:
            return Reject(302, "", [("Location", target.replace("127.0.0.1", "localhost")), ("Set-Cookie", "a=1")])

        cookies: list[object] = []

        def second(request: Any) -> Any:
            cookies.append(dict(request.received_cookies))
            return lambda stream, mutex: None

        target = await self.serve_websockets(second)
        await self.connect(await self.serve_websockets(first), max_redirects=1, cookies=CookieJar())
        self.assertEqual(cookies, [{}])

    async def test_it_never_leads_from_tls_to_plain_text(self) -> None:
        plain = await self.scripted(switching)
        location = f"http://127.0.0.1:{plain.port}/"
        url, roots = await self.serve_tls(lambda request: Reject(302, "", {"Location": location}))
        connecting = self.connect(url, tls=ClientTLS(roots), max_redirects=5)
        await self.refused(connecting, HandshakeFailed, "not TLS")
        self.assertEqual(plain.servers, [])

    async def test_it_may_lead_to_tls(self) -> None:
        target, roots = await self.serve_tls()
        site = await self.pointing(target.replace("wss", "https"))
        url = f"ws://127.0.0.1:{site.port}/old"
        stream = await self.connect(url, tls=ClientTLS(roots), max_redirects=1)
        self.assertTrue(stream.secure)

    async def test_it_does_not_lead_to_unix_sockets(self) -> None:
        path = f"{self.mktemp()[-20:]}.sock".replace("/", "-")
        await serve(self, WebSocketFactory(echo), f"unix:{path}")
        site = await self.pointing(f"ws+unix:{path}:/")
        connecting = self.connect(f"ws://127.0.0.1:{site.port}/old", max_redirects=1)
        await self.refused(connecting, HandshakeFailed, "no place for a WebSocket")

    async def test_it_does_not_lead_away_from_an_endpoint_of_ones_own(self) -> None:
        for location, follows in (("/new", True), ("http://other.example/", False)):
            with self.subTest(location):
                site = await self.pointing(location)
                endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", site.port)
                connecting = self.connect("ws://one.example/old", endpoint=endpoint, max_redirects=1)
                if follows:
                    await connecting
                    self.assertEqual(field(site.requests[1], "host"), "one.example")
                else:
                    await self.refused(connecting, HandshakeFailed, "other.example")

    async def test_a_client_certificate_goes_to_no_other_origin(self) -> None:
        """Nor does a name that the certificate of the first one is for."""
        issued = Issued("localhost")
        target, roots = await self.serve_tls(issued=issued)
        site = await self.pointing(target.replace("wss", "https"))
        tls = ClientTLS(roots, certificate="/not/there.pem", server_name="other.example")
        stream = await self.connect(f"ws://127.0.0.1:{site.port}/old", tls=tls, max_redirects=1)
        self.assertTrue(stream.secure)

    async def test_locations_that_make_no_sense(self) -> None:
        for location in ("mailto:x", "http://[bad", "ws://h:0/"):
            with self.subTest(location):
                site = await self.pointing(location)
                connecting = self.connect(f"ws://127.0.0.1:{site.port}/old", max_redirects=1)
                await self.refused(connecting, HandshakeFailed, "no place for a WebSocket")

    async def test_no_location_and_two(self) -> None:
        for fields in ((), ("Location: /a", "Location: /b")):
            with self.subTest(fields=fields):
                site = await self.scripted(
                    lambda request, fields=fields: http_answer("302 Found", *fields)  # type: ignore[misc]
                )
                await self.refused(
                    self.connect(f"ws://127.0.0.1:{site.port}", max_redirects=1), HandshakeFailed, "locations"
                )


class TurnsTests(ClientCase):
    """One handshake at a time with a server (RFC 6455 section 4.1)."""

    async def slow(self) -> ScriptedSite:
        """Serve requests that are answered when the test wants it."""
        return await self.scripted(lambda request: None)

    def agree(self, site: ScriptedSite, number: int) -> None:
        """Answer a request."""
        server = site.servers[number]
        server.transport.write(switching(server.request))

    async def test_a_second_one_waits_for_the_first(self) -> None:
        site = await self.slow()
        first, second = (self.connect(f"ws://127.0.0.1:{site.port}/{path}") for path in "ab")
        await turns_until(lambda: len(site.requests) == 1)
        await turns()
        self.assertEqual(len(site.servers), 1)
        self.agree(site, 0)
        await first
        await turns_until(lambda: len(site.requests) == 2)
        self.agree(site, 1)
        await second

    async def test_it_does_not_if_that_is_not_wanted(self) -> None:
        site = await self.slow()
        both = [self.connect(f"ws://127.0.0.1:{site.port}", in_turn=False) for _ in range(2)]
        await turns_until(lambda: len(site.requests) == 2)
        for number, connecting in enumerate(both):
            self.agree(site, number)
            await connecting

    async def test_nor_does_that_of_another_server(self) -> None:
        one, other = await self.slow(), await self.slow()
        both = [self.connect(f"ws://127.0.0.1:{site.port}") for site in (one, other)]
        await turns_until(lambda: len(one.requests + other.requests) == 2)
        for site, connecting in zip((one, other), both, strict=True):
            self.agree(site, 0)
            await connecting

    async def test_one_that_fails_lets_the_next_one_go_on(self) -> None:
        site = await self.slow()
        first, second = (self.connect(f"ws://127.0.0.1:{site.port}") for _ in range(2))
        await turns_until(lambda: len(site.requests) == 1)
        site.servers[0].transport.write(http_answer("404 Not Found"))
        await self.assertFailure(first, HandshakeRefused)
        await turns_until(lambda: len(site.requests) == 2)
        self.agree(site, 1)
        await second

    async def test_so_does_one_that_is_cancelled(self) -> None:
        site = await self.slow()
        first, second, third = (self.connect(f"ws://127.0.0.1:{site.port}") for _ in range(3))
        await turns_until(lambda: len(site.requests) == 1)
        for connecting in (second, first):  # one that waits, and the one whose turn it is
            connecting.cancel()
            await self.assertFailure(connecting, CancelledError)
        await turns_until(lambda: len(site.requests) == 2)
        self.agree(site, 1)
        await third

    async def test_a_handler_may_connect_to_the_same_server(self) -> None:
        url = await self.serve_websockets(echo)
        done: Deferred[object] = Deferred()

        async def handshake(stream: Any, mutex: Any) -> None:
            other = await self.connect(url)
            other.send("hello")
            done.callback(await other.receive())

        await self.connect(url, handshake)
        self.assertEqual(await done, "hello")
