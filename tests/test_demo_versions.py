"""demo/: ``/about``, and the chat room where old and new versions of the protocol meet."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import TestCase

from hunchensocket_tx import Settings
from hunchensocket_tx.demo import add_demo, demo_page
from tests.harness import turns_until
from tests.hybi_stream_support import (
    LONG,
    Sent,
    binary,
    close,
    has_frame,
    has_opcode,
    masked,
    open_13,
    read_messages,
    request_13,
    split_frames,
    text,
)
from tests.stream_support import CLOSING, LAST_FRAME
from tests.support import RawClient, connect, frame_76, open_76, serve

DEFLATE = "permessage-deflate"


class DemoTestCase(TestCase):
    """Serves the built-in site."""

    async def setUp(self) -> None:  # type: ignore[override]
        root = demo_page()
        _, self.chat, self.about, _ = add_demo(root, Settings(versions=[13, 8, 7, 76, 75]))
        self.address: Any = await serve(self, root)


class AboutTests(DemoTestCase):
    """``/about`` tells in one message what the connection speaks, and closes."""

    async def read(self, client: RawClient) -> str:
        """Return what a client of RFC 6455 is told."""
        await has_opcode(client, 8)
        frames = split_frames(client.data)[0]
        self.assertEqual(frames[-1], close(1000))
        client.write(masked(close(1000)))
        await client.closed
        [told] = read_messages(frames)
        return str(told)

    async def test_rfc_6455(self) -> None:
        told = await self.read(await open_13(self, self.address, "/about"))
        self.assertIn("RFC 6455", told)
        self.assertIn("extensions: none", told)

    async def test_with_compression(self) -> None:
        told = await self.read(await open_13(self, self.address, "/about", DEFLATE))
        self.assertIn(f"extensions: {DEFLATE}", told)

    async def test_the_drafts(self) -> None:
        for version, name in ((8, "hybi-08"), (7, "hybi-07")):
            client = await connect(self, self.address)
            request = request_13(self.address, "/about").replace(b"Version: 13", b"Version: %d" % version)
            client.write(request)
            await client.until(b"\r\n\r\n")
            client.data = client.body
            self.assertIn(name, await self.read(client))

    async def test_hixie_76(self) -> None:
        client = await open_76(self, self.address, "/about")
        await client.until(LAST_FRAME)
        self.assertEqual(client.data, frame_76("hixie-76; extensions: none") + CLOSING)

    async def test_nothing_is_kept_of_who_has_asked(self) -> None:
        await self.read(await open_13(self, self.address, "/about"))
        await turns_until(lambda: not self.about.streams)


class ChatTests(DemoTestCase):
    """``/chat`` sends each message to everyone, whatever version they speak."""

    async def test_old_and_new_versions_talk_with_each_other(self) -> None:
        old = await open_76(self, self.address, "/chat")
        new = await open_13(self, self.address, "/chat")
        new.write(masked(text("from the new")))
        await old.until(frame_76("from the new"))
        old.write(frame_76("from the old"))
        for message in ("from the new", "from the old"):
            await has_frame(new, text(message))

    async def test_who_agreed_on_compression_gets_it(self) -> None:
        plain = await open_13(self, self.address, "/chat")
        compressing = await open_13(self, self.address, "/chat", DEFLATE)
        plain.write(masked(text(LONG)))
        await has_frame(plain, text(LONG))
        await has_opcode(compressing, 1)
        self.assertTrue(split_frames(compressing.data)[0][0].compressed)

    async def test_bytes_reach_those_who_can_take_them(self) -> None:
        old = await open_76(self, self.address, "/chat")
        new = await open_13(self, self.address, "/chat")
        new.write(masked(binary(b"\xff\x00"), text("and text")))
        await has_frame(new, text("and text"))
        self.assertEqual(split_frames(new.data)[0][0], binary(b"\xff\x00"))
        await old.until(frame_76("and text"))
        self.assertEqual(old.data, frame_76("and text"))

    async def test_who_has_left_is_not_kept(self) -> None:
        client = await open_13(self, self.address, "/chat")
        client.write(masked(close(1000, "bye")))
        await client.closed
        self.assertEqual(split_frames(client.data)[0], [Sent(0x88, (1000).to_bytes(2, "big"))])
        await turns_until(lambda: not self.chat.streams)
