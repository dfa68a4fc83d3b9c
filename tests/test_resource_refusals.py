"""What WebSocketResource answers to those who do not get a WebSocket, over real sockets."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.trial.unittest import TestCase
from twisted.web.resource import Resource

from hunchensocket_tx import Accept, Reject, WebSocketResource
from tests.harness import PatientClient, connect_as, echo, header_fields, serve_tls, silent, turns
from tests.support import KEY3, RawClient, connect, request_76, serve


class RefusalCase(TestCase):
    """Serves a resource, and takes its refusals."""

    async def ask(self, resource: Resource, data: bytes | None = None, **changes: Any) -> RawClient:
        """Send a request, by default one of hixie-76; return when the server has closed the connection."""
        address = await serve(self, resource)
        client = await connect(self, address)
        client.write(request_76(address, **changes) if data is None else data)
        await client.closed
        return client

    def check(self, client: RawClient, status: int) -> None:
        """Check that there is one complete answer, with one line that says why."""
        self.assertEqual(client.data.count(b"HTTP/1.1 "), 1, client.data)
        self.assertEqual(client.status, status)
        self.assertEqual(header_fields(client)["connection"], ["close"])
        self.assertEqual(header_fields(client)["content-length"], [str(len(client.body))])
        self.assertEqual(header_fields(client)["content-type"], ["text/plain; charset=utf-8"])
        self.assertRegex(client.body, rb"\A[^\n]+\n\Z")


class HandshakeRefusalTests(RefusalCase):
    """Sections 5.1 and 5.2 of hybi-00: what a server aborts for. key3 must not be read as the next request."""

    async def refused(self, status: int, settings: dict[str, Any] | None = None, **changes: Any) -> RawClient:
        """Have a request refused: with key3 behind its head, and with key3 after the answer."""
        settings = settings or {}
        path = changes.pop("path", "/")
        client = await self.ask(WebSocketResource(echo, **settings), path=path, **changes)
        self.check(client, status)
        address = await serve(self, WebSocketResource(echo, **settings))
        late = await connect_as(self, PatientClient(), address)
        late.write(request_76(address, path, key3=b"", **changes))
        await late.server_done
        late.write(KEY3 + b"GET / HTTP/1.1\r\n\r\n")
        await turns()
        self.check(late, status)
        return client

    async def test_a_key_without_spaces_is_refused(self) -> None:
        client = await self.refused(400, sec_websocket_key1="4@146546xW%0l15")
        self.assertIn(b"Sec-WebSocket-Key1", client.body)

    async def test_a_key_without_digits_is_refused(self) -> None:
        client = await self.refused(400, sec_websocket_key2="no digit")
        self.assertIn(b"Sec-WebSocket-Key2", client.body)

    async def test_a_key_over_32_bits_is_refused(self) -> None:
        await self.refused(400, sec_websocket_key1="1 2345678901")

    async def test_a_key_that_its_spaces_do_not_divide_is_refused(self) -> None:
        await self.refused(400, sec_websocket_key1="7 7 7")

    async def test_a_missing_key_is_refused(self) -> None:
        await self.refused(400, sec_websocket_key2=None)

    async def test_a_missing_host_is_refused(self) -> None:
        await self.refused(400, host=None)

    async def test_a_missing_origin_is_refused(self) -> None:
        await self.refused(400, origin=None)

    async def test_an_upgrade_to_something_else_is_refused(self) -> None:
        await self.refused(400, upgrade="TLS/1.0")

    async def test_a_connection_field_without_upgrade_is_refused(self) -> None:
        await self.refused(400, connection="keep-alive")

    async def test_another_body_than_key3_is_refused(self) -> None:
        client = await self.ask(WebSocketResource(echo), content_length="9", key3=b"123456789")
        self.check(client, 400)

    async def test_the_drafts_between_are_refused(self) -> None:
        await self.refused(400, sec_websocket_draft="2")

    async def test_a_page_of_another_origin_is_refused(self) -> None:
        client = await self.refused(403, origin="http://evil.example")
        self.assertIn(b"origin", client.body.lower())

    async def test_an_origin_that_is_not_listed_is_refused(self) -> None:
        await self.refused(403, {"origins": ["https://good.example"]}, origin="https://evil.example")

    async def test_another_host_than_those_of_the_settings_is_refused(self) -> None:
        await self.refused(403, {"hosts": ["www.example.com"]})

    async def test_hixie_75_is_refused_unless_switched_on(self) -> None:
        client = await self.refused(400, sec_websocket_key1=None, sec_websocket_key2=None)
        self.assertIn(b"75", client.body)

    async def test_hixie_76_is_refused_if_switched_off(self) -> None:
        client = await self.refused(403, {"versions": [75]})
        self.assertIn(b"76", client.body)

    async def test_hixie_without_tls_is_refused_if_the_settings_say_so(self) -> None:
        client = await self.refused(403, {"legacy_over_tls_only": True})
        self.assertIn(b"TLS", client.body)

    async def test_an_unknown_version_is_refused_with_426(self) -> None:
        client = await self.refused(426, sec_websocket_version="6")
        self.assertEqual(header_fields(client)["upgrade"], ["websocket"])
        self.assertEqual(header_fields(client)["sec-websocket-version"], ["13, 8, 7"])

    async def test_another_method_than_get_is_refused_with_405(self) -> None:
        data = b"POST / HTTP/1.1\r\nHost: a\r\nUpgrade: WebSocket\r\nConnection: Upgrade\r\n\r\n"
        client = await self.ask(WebSocketResource(echo), data)
        self.check(client, 405)
        self.assertEqual(header_fields(client)["allow"], ["GET"])

    async def test_a_refused_handshake_is_not_counted(self) -> None:
        resource = WebSocketResource(echo)
        await self.ask(resource, sec_websocket_key1="none")
        self.assertEqual((resource.handshakes.total(), resource.streams), (0, set()))

    async def test_a_refused_handshake_reaches_no_dispatcher(self) -> None:
        asked: list[Any] = []
        await self.ask(WebSocketResource(asked.append), sec_websocket_key1="none")
        self.assertEqual(asked, [])

    async def test_a_refusal_over_tls_is_complete(self) -> None:
        address, endpoint = await serve_tls(self, WebSocketResource(echo))
        for origin in ("http://127.0.0.1", "https://evil.example"):
            client = await connect(self, address, endpoint)
            client.write(request_76(address, secure=True, origin=origin))
            await client.closed
            self.check(client, 403)


class DispatcherRefusalTests(RefusalCase):
    """What dispatchers say, or fail to say."""

    async def test_it_is_404_if_no_dispatcher_takes_it(self) -> None:
        self.check(await self.ask(WebSocketResource(lambda request: None, lambda request: None)), 404)

    async def test_it_is_404_if_a_deferred_says_none(self) -> None:
        self.check(await self.ask(WebSocketResource(lambda request: succeed(None))), 404)

    async def test_a_reject_is_answered_with_its_status_body_and_headers(self) -> None:
        headers = [("WWW-Authenticate", 'Basic realm="chat"'), ("X-Two", "1"), ("X-Two", "2")]
        client = await self.ask(WebSocketResource(lambda request: Reject(401, "who are you?", headers)))
        self.assertEqual((client.status, client.body), (401, b"who are you?"))
        self.assertEqual(header_fields(client)["www-authenticate"], ['Basic realm="chat"'])
        self.assertEqual(header_fields(client)["x-two"], ["1", "2"])
        self.assertEqual(header_fields(client)["connection"], ["close"])

    async def test_the_text_of_a_reject_is_sent_as_utf_8(self) -> None:
        client = await self.ask(WebSocketResource(lambda request: Reject(403, "verboten: ä")))
        self.assertEqual(client.body, "verboten: ä".encode())

    async def test_a_reject_may_say_what_its_bytes_are(self) -> None:
        headers = {"Content-Type": "application/json"}
        client = await self.ask(WebSocketResource(lambda request: Reject(403, b"{}", headers)))
        self.assertEqual((header_fields(client)["content-type"], client.body), (["application/json"], b"{}"))

    async def test_a_reject_without_a_body_is_complete(self) -> None:
        client = await self.ask(WebSocketResource(lambda request: Reject()))
        self.assertEqual((client.status, header_fields(client)["content-length"], client.body), (403, ["0"], b""))

    async def test_a_large_body_arrives_whole(self) -> None:
        client = await self.ask(WebSocketResource(lambda request: Reject(503, b"x" * 1_000_000)))
        self.assertEqual(len(client.body), 1_000_000)

    async def test_the_status_426_has_its_reason_phrase(self) -> None:
        """twisted.web does not know it in every release."""
        client = await self.ask(WebSocketResource(lambda request: Reject(426)))
        self.assertTrue(client.data.startswith(b"HTTP/1.1 426 Upgrade Required\r\n"))

    async def test_a_redirect_names_the_other_place(self) -> None:
        client = await self.ask(WebSocketResource(lambda request: Reject(307, headers={"Location": "/new"})))
        self.assertEqual((client.status, header_fields(client)["location"]), (307, ["/new"]))

    async def test_what_a_dispatcher_set_on_the_request_is_in_the_refusal(self) -> None:
        def dispatcher(request: Any) -> Reject:
            request.setHeader(b"retry-after", b"7")
            request.addCookie(b"seen", b"yes")
            return Reject(503)

        client = await self.ask(WebSocketResource(dispatcher))
        self.assertEqual(
            (header_fields(client)["retry-after"], header_fields(client)["set-cookie"]), (["7"], ["seen=yes"])
        )

    async def check_internal_error(self, resource: WebSocketResource, error: type[Exception]) -> None:
        """Check that it is logged once, and that the client learns nothing of the inside."""
        client = await self.ask(resource)
        self.check(client, 500)
        self.assertNotIn(b"secret", client.data)
        self.assertNotIn(error.__name__.encode(), client.data)
        self.assertEqual(len(self.flushLoggedErrors(error)), 1)
        self.assertEqual((resource.handshakes.total(), resource.streams), (0, set()))

    async def test_an_exception_in_a_dispatcher_is_500(self) -> None:
        def dispatcher(request: Any) -> None:
            raise ZeroDivisionError("secret")

        await self.check_internal_error(WebSocketResource(dispatcher), ZeroDivisionError)

    async def test_an_exception_in_a_coroutine_is_500(self) -> None:
        async def dispatcher(request: Any) -> None:
            raise ZeroDivisionError("secret")

        await self.check_internal_error(WebSocketResource(dispatcher), ZeroDivisionError)

    async def test_a_failed_deferred_is_500(self) -> None:
        decision: Deferred[Any] = Deferred()
        decision.errback(ZeroDivisionError("secret"))
        await self.check_internal_error(WebSocketResource(lambda request: decision), ZeroDivisionError)

    async def test_a_dispatcher_that_returns_nonsense_is_500(self) -> None:
        await self.check_internal_error(WebSocketResource(lambda request: "secret"), TypeError)

    async def test_a_subprotocol_that_was_not_offered_is_500(self) -> None:
        resource = WebSocketResource(lambda request: Accept(silent, subprotocol="secret"))
        await self.check_internal_error(resource, ValueError)
