"""A browser of today, on the built-in page and on its own."""

from __future__ import annotations

from typing import Any, ClassVar

from hunchensocket_tx import CloseReason
from tests.harness import Issued, PemFolder
from tests.interop import clients
from tests.interop.clients import need_package, need_program, python, run_client


class ChromiumTests(clients.InteropCase):
    """Headless Chromium plays all scenes of ``chromium_client.py`` in one go, as it starts slowly; each test looks
    at one of them."""

    _report: ClassVar[dict[str, Any] | AssertionError | None] = None
    _ends: ClassVar[list[CloseReason]] = []

    async def setUp(self) -> None:  # type: ignore[override]
        super().setUp()
        if ChromiumTests._report is None:
            try:
                ChromiumTests._report = await self._visit()
            except AssertionError as error:
                ChromiumTests._report = error
        if isinstance(ChromiumTests._report, AssertionError):
            raise ChromiumTests._report
        self._scenes = ChromiumTests._report

    async def _visit(self) -> dict[str, Any]:
        need_package("selenium")
        programs = {name: need_program(name) for name in ("chromium", "chromedriver")}
        issued, folder = Issued("127.0.0.1"), PemFolder(self.mktemp())
        pem = folder.write("both", issued.pem, issued.key_pem())
        plain = await self.serve()
        secure = await self.serve(f"ssl:0:interface=127.0.0.1:privateKey={pem}:certKey={pem}")
        report = await run_client(
            self,
            python("chromium_client.py"),
            {"plain": f"http://127.0.0.1:{plain}/", "secure": f"https://127.0.0.1:{secure}/", **programs},
        )
        ChromiumTests._ends = [await end for end in self.watched.ends]
        return report

    def scene(self, name: str) -> dict[str, Any]:
        """Return what a scene came to."""
        told: dict[str, Any] = self._scenes[name]
        if "error" in told:
            self.fail(told["error"])
        return told

    def check_close(self, scene: dict[str, Any], code: int, reason: str, clean: bool) -> None:
        """Compare what a page is told about the end of a WebSocket."""
        self.assertEqual((scene["code"], scene["reason"], scene["wasClean"]), (code, reason, clean))

    def test_the_page_connects_by_itself(self) -> None:
        scene = self.scene("connect")
        self.assertEqual((scene["echo-state"], scene["chat-state"]), ("open", "open"))

    def test_the_page_tells_what_is_spoken(self) -> None:
        self.assertIn(
            "Browser API: window.WebSocket. Spoken here: RFC 6455 (version 13); extensions: permessage-deflate",
            self.scene("connect")["api"],
        )

    def test_the_page_tells_the_extension(self) -> None:
        self.assertIn("extensions: permessage-deflate", self.scene("connect")["echo-details"])

    def test_the_page_connects_by_itself_with_tls(self) -> None:
        scene = self.scene("connect_with_tls")
        self.assertEqual((scene["echo-state"], scene["chat-state"]), ("open", "open"))
        self.assertIn("Connecting to wss://127.0.0.1:", scene["echo-log"])

    def test_the_page_sends_text_and_shows_it_coming_back(self) -> None:
        self.assertEqual(self.scene("echo_text"), {"sent": ["Grüße, 世界"], "received": ["Grüße, 世界"]})

    def test_the_page_does_so_with_tls(self) -> None:
        self.assertEqual(self.scene("echo_text_with_tls"), {"sent": ["Grüße, 世界"], "received": ["Grüße, 世界"]})

    def test_the_page_sends_binary_and_shows_it_coming_back(self) -> None:
        scene = self.scene("echo_binary")
        self.assertRegex(scene["sent"][0], "^16 bytes: ")
        self.assertEqual(scene["received"], scene["sent"])

    def test_two_pages_chat(self) -> None:
        scene = self.scene("chat")
        self.assertEqual(scene["others"], ["Zoë: anybody here?"])
        self.assertEqual(scene["own"], {"sent": ["Zoë: anybody here?"], "received": []})

    def test_the_page_shows_the_close_code_after_disconnecting(self) -> None:
        scene = self.scene("disconnect")
        self.assertIn("code: 1005; reason: none; wasClean: true", scene["echo-details"])
        self.assertEqual(scene["toggle"], "Connect")

    def test_a_script_is_told_the_servers_close_code_and_reason(self) -> None:
        self.check_close(self.scene("server_closes"), 4001, "enough, für heute", True)

    def test_a_script_that_closes_is_answered_with_its_code(self) -> None:
        scene = self.scene("client_closes")
        self.assertEqual((scene["code"], scene["wasClean"]), (4002, True))

    def test_the_server_is_told_a_scripts_close_code_and_reason(self) -> None:
        self.assertIn(CloseReason(4002, "bis später", True), self._ends)

    def test_the_server_is_told_that_the_page_was_left(self) -> None:
        self.assertIn(CloseReason(1001, "", True), self._ends)

    def test_a_handler_written_for_hixie_76_serves_it_unchanged(self) -> None:
        scene = self.scene("hixie_handler")
        self.assertEqual(scene["received"], ["GRÜSS DICH", "🌍"])
        self.check_close(scene, 1005, "", True)

    def test_permessage_deflate_is_agreed_upon(self) -> None:
        self.assertEqual(self.scene("compressed")["extensions"].partition(";")[0], "permessage-deflate")

    def test_compressed_messages_come_back(self) -> None:
        self.assertEqual(self.scene("compressed")["received"], ["What is said again is said shorter. " * 100] * 3)

    def test_a_subprotocol_is_agreed_upon(self) -> None:
        scene = self.scene("subprotocol")
        self.assertEqual((scene["protocol"], scene["received"]), ("v2.example", [""]))

    def test_a_message_that_the_server_sends_in_fragments_is_put_together(self) -> None:
        self.assertEqual(self.scene("fragments")["received"], ["Grüße, 世界 🌍"])

    def test_the_browser_answers_a_ping(self) -> None:
        self.assertEqual(self.scene("ping")["received"], ["you live"])

    def test_binary_of_one_mebibyte_comes_back(self) -> None:
        self.assertEqual(self.scene("one_mebibyte"), {"size": 1024 * 1024, "same": True})

    def test_a_message_over_the_limit_closes_with_1009(self) -> None:
        scene = self.scene("too_big")
        self.assertEqual(scene["code"], 1009)

    def test_a_page_of_another_origin_is_refused(self) -> None:
        self.check_close(self.scene("other_origin"), 1006, "", False)
