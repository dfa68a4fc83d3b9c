"""Tests of hunchensocket_tx.socketio.engine.polling_connection: many requests on one connection, in memory."""

from __future__ import annotations

from typing import Any, NamedTuple

from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure

from hunchensocket_tx import Settings
from hunchensocket_tx.socketio.engine.polling_connection import PollingConnection
from tests.socketio.engine_support import EngineCase, Opened

TYPE = "Content-Type: text/plain;charset=UTF-8"


class Answer(NamedTuple):
    status: int
    fields: dict[str, str]
    body: bytes


class Client(Protocol):
    """A client that keeps its connection."""

    def __init__(self) -> None:
        self.data = b""
        self.lost = False

    def dataReceived(self, data: bytes) -> None:
        self.data += data

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.lost = True

    def take(self) -> list[Answer]:
        """Return the answers that have come since this was asked last."""
        answers = []
        while self.data:
            head, separator, rest = self.data.partition(b"\r\n\r\n")
            first, *lines = head.decode("latin-1").split("\r\n")
            fields = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
            size = int(fields.get("content-length", 0))
            assert separator and len(rest) >= size, self.data
            answers.append(Answer(int(first.split(" ")[1]), fields, rest[:size]))
            self.data = rest[size:]
        return answers


class ConnectionCase(EngineCase):
    """Tests with a connection on which a first request was answered."""

    def setUp(self) -> None:
        self.serve(Opened(echo=True))
        self.begin()

    def serve(self, opened: Opened | None = None, **options: Any) -> None:
        super().serve(opened, **options)
        self.served: list[bytes] = []  # by way of twisted.web
        render = self.engine.render

        def count(request: Any) -> Any:
            self.served.append(request.method)
            return render(request)

        self.patch(self.engine, "render", count)

    def begin(self, *lines: str) -> None:
        """Begin a session, and poll once on a connection that is kept."""
        self.query = self.handshake()
        self.client = self.open()
        self.post_on(self.client, "4first", *lines)
        self.assertEqual([answer.body for answer in self.client.take()], [b"ok"])
        self.served.clear()

    def open(self) -> Client:
        client = Client()
        self.memory.result(self.memory.endpoint.connect(Factory.forProtocol(lambda: client)))
        return client

    def write(self, client: Client, data: bytes) -> None:
        assert client.transport is not None
        client.transport.write(data)
        self.memory.settle()

    def head(self, method: str, *lines: str, query: str | None = None, path: str = "/engine.io/") -> str:
        """Return a head, without the empty line."""
        query = self.query if query is None else query
        return "\r\n".join([f"{method} {path}?{query} HTTP/1.1", "Host: localhost", *lines, ""])

    def post_on(self, client: Client, body: str, *lines: str, **options: str) -> None:
        data = body.encode()
        head = self.head("POST", *lines, TYPE, f"Content-Length: {len(data)}", **options)
        self.write(client, head.encode() + b"\r\n" + data)

    def get_on(self, client: Client, *lines: str, **options: str) -> None:
        self.write(client, self.head("GET", *lines, **options).encode() + b"\r\n")

    def bodies(self, client: Client | None = None) -> list[bytes]:
        return [answer.body for answer in (client or self.client).take()]


class PollsTests(ConnectionCase):
    """What is served without twisted.web."""

    def test_polls_and_posts_are(self) -> None:
        self.get_on(self.client)
        self.assertEqual(self.bodies(), [b"4first"])
        for number in range(5):
            self.post_on(self.client, f"4{number}")
            self.get_on(self.client)
            self.assertEqual(self.bodies(), [b"ok", b"4%d" % number])
        self.assertEqual(self.served, [])

    def test_answers_have_the_fields_that_others_have(self) -> None:
        client = self.open()
        for _ in range(2):
            self.post_on(client, "4x")
            self.get_on(client)
        first, second, *others = client.take()
        self.assertEqual(self.served, [b"POST"])
        for answer in (second, *others):
            self.assertEqual(answer.status, 200)
            self.assertEqual({**answer.fields, "date": ""}.keys(), first.fields.keys())
            for name in ("server", "cache-control", "x-content-type-options"):
                self.assertEqual(answer.fields[name], first.fields[name])
            self.assertRegex(answer.fields["date"], r"^\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT$")
        self.assertEqual(others[0].fields["content-type"], first.fields["content-type"])
        self.assertEqual(second.fields["content-type"], "text/plain; charset=UTF-8")

    def test_a_get_that_waits_is_answered_later(self) -> None:
        self.get_on(self.client)
        self.bodies()
        self.get_on(self.client)
        self.assertEqual(self.bodies(), [])
        self.send("later")
        self.assertEqual(self.bodies(), [b"4later"])

    def test_requests_may_come_byte_by_byte(self) -> None:
        self.get_on(self.client)
        self.bodies()
        data = self.head("POST", TYPE, "Content-Length: 4").encode() + b"\r\n4" + "€".encode()
        for number in range(len(data)):
            self.write(self.client, data[number : number + 1])
        self.get_on(self.client)
        self.assertEqual(self.bodies(), [b"ok", "4€".encode()])
        self.assertEqual(self.served, [])

    def test_requests_that_come_together_are_answered_in_order(self) -> None:
        self.get_on(self.client)
        self.bodies()
        post = self.head("POST", TYPE, "Content-Length: 2") + "\r\n4"
        self.write(self.client, (post + "a" + post + "b" + self.head("GET") + "\r\n" + post + "c").encode())
        self.assertEqual(self.bodies(), [b"ok", b"ok", b"4a\x1e4b", b"ok"])
        self.assertEqual(self.served, [])

    def test_what_comes_behind_a_get_that_waits_has_to_wait_too(self) -> None:
        self.get_on(self.client)
        self.bodies()
        self.get_on(self.client)
        self.post_on(self.client, "4a")
        self.assertEqual(self.bodies(), [])
        self.send("now")
        self.assertEqual(self.bodies(), [b"4now", b"ok"])

    def test_much_that_comes_behind_it_is_not_read(self) -> None:
        self.get_on(self.client)
        self.bodies()
        self.get_on(self.client)
        posts = (self.head("POST", TYPE, "Content-Length: 2") + "\r\n4a").encode() * 1000
        self.write(self.client, posts)
        self.send("now")
        self.assertEqual(self.bodies(), [b"4now", *[b"ok"] * 1000])

    def test_faults_are_answered(self) -> None:
        self.post_on(self.client, "4ok\x1e9")
        [answer] = self.client.take()
        self.assertEqual((answer.status, answer.body), (400, b'{"code":3,"message":"Bad request"}'))
        self.assertEqual(answer.fields["content-type"], "application/json")
        self.assert_over("parse error")
        self.assertEqual(self.served, [])

    def test_a_second_poll_ends_the_session(self) -> None:
        self.get_on(self.client)
        self.bodies()
        self.get_on(self.client)
        other = self.open()
        self.get_on(other)
        self.assertEqual([answer.status for answer in other.take()], [400])
        self.assertEqual(self.bodies(), [b"1"])
        self.assert_over("transport error")

    def test_a_client_that_leaves_while_it_polls_is_gone(self) -> None:
        self.get_on(self.client)
        self.get_on(self.client)
        transport: Any = self.client.transport
        transport.abortConnection()
        self.memory.settle()
        self.assert_over("transport error")

    def test_a_client_that_leaves_between_polls_is_not(self) -> None:
        transport: Any = self.client.transport
        transport.abortConnection()
        self.memory.settle()
        self.assertTrue(self.session.is_open)

    def test_sessions_may_share_a_connection(self) -> None:
        first, self.query = self.query, self.handshake()
        self.served.clear()
        self.get_on(self.client, query=first)
        self.post_on(self.client, "4second")
        self.get_on(self.client)
        self.assertEqual(self.bodies(), [b"4first", b"ok", b"4second"])
        self.assertEqual(self.served, [])

    def test_clients_may_change_their_fields(self) -> None:
        for number in range(20):
            self.post_on(self.client, "4x", f"Cookie: number={number}")
        self.assertEqual(self.bodies(), [b"ok"] * 20)
        self.assertEqual(self.served, [])


class SlowReaderTests(ConnectionCase):
    """Clients that do not take their answers."""

    def test_nothing_is_served_until_they_do(self) -> None:
        made: list[PollingConnection] = []
        make = PollingConnection.makeConnection

        def note(connection: PollingConnection, transport: Any) -> None:
            made.append(connection)
            make(connection, transport)

        self.patch(PollingConnection, "makeConnection", note)
        self.begin()
        connection = made[-1]
        connection.pauseProducing()
        for _ in range(3):
            self.post_on(self.client, "4x")
        self.assertEqual(self.bodies(), [])
        connection.resumeProducing()
        self.memory.settle()
        self.assertEqual(self.bodies(), [b"ok"] * 3)


class OriginTests(ConnectionCase):
    """Pages are judged as ever."""

    def setUp(self) -> None:
        self.serve(limits=Settings(origins=["http://good.example"]))
        self.begin()

    def test_pages_that_may_are_told_so_each_time(self) -> None:
        for origin in ("http://good.example", "http://good.example"):
            self.post_on(self.client, "4x", f"Origin: {origin}")
            [answer] = self.client.take()
            self.assertEqual(answer.fields["access-control-allow-origin"], origin)
            self.assertEqual(answer.fields["access-control-allow-credentials"], "true")
            self.assertEqual(answer.fields["vary"], "Origin")
        self.assertEqual(self.served, [])

    def test_who_is_no_page_is_not(self) -> None:
        self.post_on(self.client, "4x", "Origin: http://good.example")
        self.post_on(self.client, "4x")
        _, answer = self.client.take()
        self.assertNotIn("access-control-allow-origin", answer.fields)
        self.assertEqual(answer.fields["vary"], "Origin")

    def test_pages_that_may_not_are_refused(self) -> None:
        self.post_on(self.client, "4x", "Origin: http://bad.example")
        [answer] = self.client.take()
        self.assertEqual(answer.status, 403)
        self.assertEqual(self.opened.last.messages, ["first"])


class GivenBackTests(ConnectionCase):
    """What twisted.web serves, on the same connection."""

    def assert_given_back(self, data: str | bytes, status: int) -> None:
        """Check that a request is answered by twisted.web, and the next one here again."""
        self.write(self.client, data.encode() if isinstance(data, str) else data)
        answers = self.client.take()
        self.assertEqual([answer.status for answer in answers], [status], data[:300])
        for _ in range(2):
            self.post_on(self.client, "4x")
        self.assertEqual(self.bodies(), [b"ok", b"ok"])

    def test_other_addresses_are(self) -> None:
        self.assert_given_back(self.head("GET", path="/other") + "\r\n", 404)
        self.assert_given_back("GET / HTTP/1.1\r\nHost: x\r\n\r\n", 404)

    def test_requests_of_no_session_that_polls_are(self) -> None:
        for query in ("EIO=4&transport=polling&sid=unknown", "EIO=4&transport=websocket", "a=b"):
            self.assert_given_back(self.head("GET", query=query) + "\r\n", 400)

    def test_a_session_that_has_gone_over_to_a_websocket_is(self) -> None:
        socket = self.probe(self.query)
        socket.send("2probe", "5")
        self.post_on(self.client, "4x")
        self.assertEqual([answer.status for answer in self.client.take()], [400])

    def test_other_methods_are(self) -> None:
        self.assert_given_back(self.head("DELETE") + "\r\n", 400)
        self.assert_given_back(self.head("OPTIONS") + "\r\n", 204)

    def test_scripts_are(self) -> None:
        self.write(self.client, (self.head("GET", query=f"{self.query}&j=7") + "\r\n").encode())
        [answer] = self.client.take()
        self.assertEqual(answer.body, b'___eio[7]("4first");')

    def test_posts_whose_length_is_told_in_another_way_are(self) -> None:
        self.assert_given_back(self.head("POST", TYPE, "CONTENT-LENGTH: 2") + "\r\n4x", 200)
        self.assert_given_back(
            self.head("POST", TYPE, "Transfer-Encoding: chunked") + "\r\n2\r\n4x\r\n0\r\n\r\n", 200
        )
        self.assertEqual(self.opened.last.messages.count("x"), 6)

    def test_posts_with_two_lengths_are_refused_and_the_connection_closed(self) -> None:
        for lengths in (("Content-Length: 2", "Content-Length: 40"), ("Content-Length: 2", "content-length : 2")):
            self.begin()
            self.write(self.client, (self.head("POST", TYPE, *lengths) + "\r\n4x").encode())
            self.assertTrue(self.client.data.startswith(b"HTTP/1.1 400 "), self.client.data)
            self.assertTrue(self.client.lost)

    def test_large_posts_are(self) -> None:
        body = "4" + "x" * 100_000
        self.assert_given_back(self.head("POST", TYPE, f"Content-Length: {len(body)}") + "\r\n" + body, 200)
        body = "4" + "x" * 1_000_000
        self.assert_given_back(self.head("POST", TYPE, f"Content-Length: {len(body)}") + "\r\n" + body, 413)

    def test_unusual_fields_are(self) -> None:
        self.assert_given_back(self.head("GET", "X-Folded: a\r\n b") + "\r\n", 200)
        self.assert_given_back(self.head("GET", "Connection: keep-alive, TE") + "\r\n", 200)

    def test_a_client_that_closes_is_obeyed(self) -> None:
        self.get_on(self.client, "Connection: close")
        self.assertEqual(self.bodies(), [b"4first"])
        self.assertTrue(self.client.lost)

    def test_a_head_without_end_is_refused(self) -> None:
        self.write(self.client, self.head("GET", "X: " + "x" * 20000).encode())
        self.assertTrue(self.client.lost)

    def test_a_head_that_is_too_long_is_refused(self) -> None:
        fields = [f"X-{number}: {'x' * 1000}" for number in range(20)]
        self.write(self.client, (self.head("GET", *fields) + "\r\n").encode())
        self.assertTrue(self.client.data.startswith(b"HTTP/1.1 400 "), self.client.data)

    def test_what_is_no_http_is_refused(self) -> None:
        self.write(self.client, b"hello\r\n\r\n")
        self.assertTrue(self.client.data.startswith(b"HTTP/1.1 400 "), self.client.data)

    def test_what_comes_with_it_is_not_lost(self) -> None:
        other = self.head("GET", path="/other") + "\r\n"
        post = self.head("POST", TYPE, "Content-Length: 2") + "\r\n4a"
        self.write(self.client, (post + other + post + other + post).encode())
        self.assertEqual([answer.status for answer in self.client.take()], [200, 404, 200, 404, 200])

    def test_a_client_that_leaves_afterwards_is_noticed(self) -> None:
        self.get_on(self.client, "Connection: keep-alive, TE")
        self.get_on(self.client, "Connection: keep-alive, TE")
        transport: Any = self.client.transport
        transport.abortConnection()
        self.memory.settle()
        self.assert_over("transport error")


class IdleTests(ConnectionCase):
    """The time limits of the site."""

    def test_a_connection_without_requests_is_closed(self) -> None:
        self.get_on(self.client)
        self.memory.advance(59)
        self.assertFalse(self.client.lost)
        self.memory.advance(62)
        self.assertTrue(self.client.lost)

    def test_a_part_of_a_request_is_none(self) -> None:
        self.write(self.client, self.head("GET").encode())
        self.memory.advance(61)
        self.write(self.client, b"X")
        self.memory.advance(60)
        self.assertTrue(self.client.lost)

    def test_one_with_a_get_that_waits_is_not(self) -> None:
        self.serve(ping_interval=1000)
        self.begin()
        self.get_on(self.client)
        self.memory.advance(500)
        self.assertFalse(self.client.lost)
        self.send("x")
        self.assertEqual(self.bodies(), [b"4x"])

    def test_nothing_is_left_of_it(self) -> None:
        transport: Any = self.client.transport
        transport.abortConnection()
        self.memory.settle()
        self.session.close("forced close")
        self.memory.advance(100)
        self.assertEqual(self.clock.getDelayedCalls(), [])
