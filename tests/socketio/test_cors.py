"""Tests of hunchensocket_tx.socketio.cors: which pages may, and what browsers are told; in memory, as HTTP."""

from __future__ import annotations

from typing import Any

from hunchensocket_tx import Settings
from tests.socketio.engine_support import EngineCase


class PageTests(EngineCase):
    """Pages of other origins."""

    POLL = "EIO=4&transport=polling"
    PAGE = "https://www.example.com"

    def test_pages_of_other_origins_are_refused_unless_they_are_named(self) -> None:
        self.serve()
        for method in ("GET", "POST", "OPTIONS"):
            answer = self.request(method, self.POLL, Origin=self.PAGE)
            self.assertEqual((answer.status, answer.json["code"]), (403, 4))
            self.assertNotIn("access-control-allow-origin", answer.fields)
        self.assertEqual(self.request("GET", self.POLL, Origin="http://localhost").status, 200)
        self.assertEqual(len(self.engine.sessions), 1)

    def test_those_that_are_named_are_told_so_with_every_answer(self) -> None:
        for origins in ("*", [self.PAGE]):
            self.serve(limits=self.limits(origins), max_http_buffer_size=100)
            session = self.handshake(4, Origin=self.PAGE)
            for answer in (
                self.request("GET", self.POLL, Origin=self.PAGE),
                self.post(session, "4a", Origin=self.PAGE),
                self.post(session, 200 * "a", Origin=self.PAGE),
                self.get(session + "x", Origin=self.PAGE),
                self.request("OPTIONS", session, Origin=self.PAGE),
            ):
                self.assertEqual(answer.fields["access-control-allow-origin"], self.PAGE)
                self.assertEqual(answer.fields["access-control-allow-credentials"], "true")
                self.assertEqual(answer.fields["vary"], "Origin")
        self.assertEqual(self.request("GET", self.POLL, Origin="null").status, 403)

    def test_credentials_may_be_left_out(self) -> None:
        self.serve(limits=self.limits("*"), cors_credentials=False)
        answer = self.request("GET", self.POLL, Origin=self.PAGE)
        self.assertEqual(answer.fields["access-control-allow-origin"], self.PAGE)
        self.assertNotIn("access-control-allow-credentials", answer.fields)

    def test_browsers_may_ask_before(self) -> None:
        self.serve(limits=self.limits("*"))
        wanted = "content-type, X-Custom, b@d"
        answer = self.request("OPTIONS", self.POLL, Origin=self.PAGE, Access_Control_Request_Headers=wanted)
        self.assertEqual(answer.status, 204)
        self.assertEqual(answer.fields["access-control-allow-methods"], "GET, POST")
        self.assertEqual(answer.fields["access-control-allow-headers"], "content-type, X-Custom")

    def test_the_host_is_judged_as_for_websockets(self) -> None:
        self.serve(limits=self.limits("same", hosts=["www.example.org"]))
        self.assertEqual(self.request("GET", self.POLL).status, 403)

    def test_the_origin_is_that_of_the_proxy_if_it_is_trusted(self) -> None:
        self.serve(limits=self.limits("same", trusted_proxies=["127.0.0.1"]))
        told = {"X_Forwarded_Proto": "https", "X_Forwarded_Host": "www.example.com"}
        self.assertEqual(self.request("GET", self.POLL, Origin=self.PAGE, **told).status, 200)
        self.assertEqual(self.request("GET", self.POLL, Origin="http://localhost", **told).status, 403)

    def test_scripts_are_refused_to_pages_that_are_known_to_be_foreign(self) -> None:
        page, own = self.PAGE + "/a?b", "http://localhost/c"
        for origins, fields, status in (
            ("same", {}, 200),
            ("same", {"Referer": own}, 200),
            ("same", {"User_Agent": "Mozilla/5.0", "Referer": own}, 200),
            ("same", {"User_Agent": "Mozilla/5.0"}, 403),
            ("same", {"User_Agent": "node-XMLHttpRequest"}, 200),
            ("same", {"Referer": page}, 403),
            ("same", {"Referer": "about:blank"}, 403),
            ("same", {"Sec_Fetch_Site": "same-origin", "Referer": own}, 200),
            ("same", {"Sec_Fetch_Site": "none"}, 200),
            ("same", {"Sec_Fetch_Site": "cross-site"}, 403),
            ("same", {"Sec_Fetch_Site": "same-site", "Referer": page}, 403),
            ([self.PAGE], {"Sec_Fetch_Site": "cross-site", "Referer": page}, 200),
            ([self.PAGE], {"Sec_Fetch_Site": "cross-site", "Referer": "https://example.net/"}, 403),
            ("*", {"Sec_Fetch_Site": "cross-site"}, 200),
        ):
            self.serve(limits=self.limits(origins))
            answer = self.request("GET", self.POLL + "&j=0", **fields)
            self.assertEqual(answer.status, status, (origins, fields))

    def limits(self, origins: Any, **changes: Any) -> Settings:
        """Return settings of WebSockets."""
        return Settings(origins=origins, **changes)
