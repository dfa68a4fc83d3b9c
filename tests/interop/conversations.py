"""What every client is to manage. Test modules make a class of these for each; this one is not run by itself."""

from __future__ import annotations

from typing import Any

from tests.interop.clients import InteropCase, run_client
from tests.interop.script import binary, decode, tell, text

MEBIBYTE = 1024 * 1024

TEXT = "Grüße, 世界 🌍\x00"

BYTES = bytes(range(256))


class Conversations(InteropCase):
    """Scenarios for every client."""

    def command(self) -> list[str]:
        """Return the command that starts the client; skip the test if something is missing."""
        raise NotImplementedError

    async def converse(self, path: str, *steps: list[Any], compress: bool = False, **more: Any) -> dict[str, Any]:
        """Let the client go through the steps of a scenario; return its report."""
        command = self.command()
        url = f"ws://127.0.0.1:{await self.serve()}/{path}"
        return await run_client(
            self, command, {"url": url, "subprotocols": [], "compress": compress, "steps": steps, **more}
        )

    def check_received(self, report: dict[str, Any], *messages: dict[str, Any]) -> None:
        """Check that the client received these messages, and no others."""
        self.assertEqual(report["received"], [tell(decode(message)) for message in messages])

    async def check_echo(
        self, *messages: dict[str, Any], path: str = "echo", compress: bool = False, at_once: bool = False
    ) -> None:
        """Let the client send messages, by default each when the one before is back, and see them come back."""
        sends, receives = [["send", message] for message in messages], [["receive"] for _ in messages]
        steps = (
            sends + receives if at_once else [step for pair in zip(sends, receives, strict=True) for step in pair]
        )
        self.check_received(await self.converse(path, *steps, compress=compress), *messages)

    async def test_text_comes_back(self) -> None:
        await self.check_echo(text("hello"), text(TEXT), text("a", 126), text("é", 40000))

    async def test_binary_comes_back(self) -> None:
        await self.check_echo(binary(b"hello"), binary(BYTES), binary(BYTES, 257))

    async def test_empty_messages_come_back(self) -> None:
        await self.check_echo(text(""), binary(b""), text(""))

    async def test_text_of_one_mebibyte_comes_back(self) -> None:
        await self.check_echo(text("é", MEBIBYTE // 2))

    async def test_binary_of_one_mebibyte_comes_back(self) -> None:
        await self.check_echo(binary(BYTES, MEBIBYTE // 256))

    async def test_messages_sent_at_once_come_back_in_order(self) -> None:
        await self.check_echo(*[text(f"number {number}") for number in range(200)], at_once=True)

    async def test_a_message_over_the_limit_closes_with_1009(self) -> None:
        report = await self.converse("echo", ["send", binary(b"x", MEBIBYTE + 1)], ["wait_closed"])
        self.assertEqual(report["code"], 1009)

    async def test_a_message_that_the_server_sends_in_fragments_is_put_together(self) -> None:
        await self.check_echo(text(TEXT), binary(BYTES), path="parts")

    async def test_the_client_answers_a_ping(self) -> None:
        self.check_received(await self.converse("ping", ["receive"]), text("you live"))

    async def test_the_client_is_told_the_servers_close_code_and_reason(self) -> None:
        report = await self.converse("leave", ["wait_closed"])
        self.assertEqual((report["code"], report["reason"]), (4001, "enough, für heute"))

    async def test_the_server_is_told_the_clients_close_code_and_reason(self) -> None:
        await self.converse("watched", ["close", 4002, "bis später"])
        end = await self.watched.ends[0]
        self.assertEqual((end.code, end.reason, end.clean), (4002, "bis später", True))

    async def test_the_servers_answer_to_a_close_has_its_code(self) -> None:
        report = await self.converse("watched", ["close", 4002, "bis später"])
        self.assertEqual(report["code"], 4002)

    async def test_a_subprotocol_is_agreed_upon(self) -> None:
        report = await self.converse("choose", subprotocols=["v1.example", "other", "v2.example"])
        self.assertEqual(report["subprotocol"], "v2.example")

    async def test_without_a_common_subprotocol_there_is_none(self) -> None:
        report = await self.converse("choose", subprotocols=["other"])
        self.assertEqual((report["status"], report["subprotocol"]), (101, None))

    async def test_an_origin_of_elsewhere_is_refused_with_403(self) -> None:
        report = await self.converse("echo", origin="http://elsewhere.example")
        self.assertEqual(report["status"], 403)

    async def test_a_path_where_nothing_is_gets_404(self) -> None:
        report = await self.converse("nowhere")
        self.assertEqual(report["status"], 404)

    async def test_a_request_that_no_dispatcher_takes_gets_404(self) -> None:
        report = await self.converse("nobody")
        self.assertEqual(report["status"], 404)

    async def test_a_handler_written_for_hixie_76_serves_it_unchanged(self) -> None:
        report = await self.converse("shout", ["send", text("grüß dich")], ["receive"])
        self.check_received(report, text("GRÜSS DICH"))

    async def test_without_an_offer_nothing_is_compressed(self) -> None:
        report = await self.converse("watched", ["send", text("a", 1000)], ["receive"])
        self.assertEqual((report["extensions"], self.watched.streams[0].extensions), ("", ""))


class Fragmenting(Conversations):
    """Scenarios for clients that can send fragments."""

    async def test_fragments_of_text_are_put_together(self) -> None:
        parts = [text("Grü"), text(""), text("ße 🌍")]
        report = await self.converse("echo", ["send_parts", parts], ["receive"])
        self.check_received(report, text("Grüße 🌍"))

    async def test_fragments_of_binary_are_put_together(self) -> None:
        parts = [binary(bytes([number])) for number in range(256)]
        report = await self.converse("echo", ["send_parts", parts], ["receive"])
        self.check_received(report, binary(BYTES))


class Pinging(Conversations):
    """Scenarios for clients that can send pings."""

    async def test_the_server_answers_a_ping_with_its_payload(self) -> None:
        report = await self.converse(
            "echo", ["ping", "are you there?"], ["ping", ""], ["send", text("yes")], ["receive"]
        )
        self.assertEqual(report["pongs"], ["are you there?", ""])


class Deflating(Conversations):
    """Scenarios for clients that have permessage-deflate (RFC 7692)."""

    async def test_permessage_deflate_is_agreed_upon(self) -> None:
        report = await self.converse("watched", compress=True)
        for extensions in (report["extensions"], self.watched.streams[0].extensions):
            self.assertEqual(extensions.partition(";")[0], "permessage-deflate")

    async def test_compressed_messages_come_back(self) -> None:
        line = "What is said again is said shorter. "
        await self.check_echo(*[text(line, times) for times in (1, 100, 100, 1000)], compress=True)

    async def test_compressed_binary_of_one_mebibyte_comes_back(self) -> None:
        await self.check_echo(binary(BYTES, MEBIBYTE // 256), binary(b""), binary(BYTES), compress=True)

    async def test_what_the_server_sends_is_compressed(self) -> None:
        await self.check_echo(text("a", 100000), path="watched", compress=True)
        self.assertLess(self.watched.streams[0].bytes_sent, 10000)

    async def test_a_message_that_the_server_compresses_in_fragments_is_put_together(self) -> None:
        await self.check_echo(text(TEXT, 20), binary(BYTES), path="parts", compress=True)
