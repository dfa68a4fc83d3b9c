"""Tests of hunchensocket_tx.socketio.handshake."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase
from twisted.web.server import Request
from twisted.web.test.requesthelper import DummyChannel

from hunchensocket_tx.socketio.handshake import Handshake


def handshake(uri: bytes = b"/socket.io/?EIO=4&a=1&a=2&empty=", **fields: bytes) -> Handshake:
    """Return the handshake of a request with these fields."""
    request = Request(DummyChannel(), False)
    request.uri = uri
    for name, value in fields.items():
        request.requestHeaders.addRawHeader(name.encode(), value)
    return Handshake.of(request, 1_700_000_000.25)


class HandshakeTests(SynchronousTestCase):
    """What is known of a client."""

    def test_fields_have_names_in_lower_case_and_equal_ones_are_joined(self) -> None:
        request = Request(DummyChannel(), False)
        request.uri = b"/"
        request.requestHeaders.setRawHeaders(b"Accept", [b"text/html", b"*/*"])
        self.assertEqual(Handshake.of(request, 0).headers, {"accept": "text/html, */*"})

    def test_the_last_of_equal_fields_of_a_query_counts(self) -> None:
        self.assertEqual(handshake().query, {"EIO": "4", "a": "2", "empty": ""})

    def test_a_query_is_decoded(self) -> None:
        self.assertEqual(handshake(b"/?q=%E2%82%AC+x%26&%26=%3F").query, {"q": "€ x&", "&": "?"})

    def test_the_time_is_told_in_several_ways(self) -> None:
        self.assertEqual(handshake().time, "2023-11-14T22:13:20.250+00:00")
        self.assertEqual(handshake().as_dict()["issued"], 1_700_000_000_250)

    def test_an_origin_makes_it_cross_domain(self) -> None:
        self.assertFalse(handshake().cross_domain)
        self.assertTrue(handshake(Origin=b"https://www.example.com").cross_domain)

    def test_what_is_given_for_a_namespace_is_seen_there_only(self) -> None:
        general = handshake()
        named = general.for_namespace({"token": "1"}, in_query=False)
        self.assertEqual((general.auth, named.auth), ({}, {"token": "1"}))
        self.assertNotIn("token", named.query)

    def test_the_query_of_a_namespace_is_in_the_query_there(self) -> None:
        general = handshake()
        named = general.for_namespace({"token": "1", "a": "3"}, in_query=True)
        self.assertEqual(named.query, {"EIO": "4", "a": "3", "empty": "", "token": "1"})
        self.assertEqual(general.query["a"], "2")

    def test_as_a_dict_it_can_be_sent(self) -> None:
        told = handshake(Host=b"example.com").as_dict()
        self.assertEqual(
            sorted(told),
            ["address", "auth", "headers", "issued", "query", "secure", "time", "url", "xdomain"],
        )
        self.assertEqual((told["headers"], told["secure"]), ({"host": "example.com"}, False))
