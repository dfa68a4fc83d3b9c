"""The client of Perl's ``Protocol::WebSocket``, for two drafts of RFC 6455."""

from __future__ import annotations

from typing import Any, ClassVar

from tests.interop import conversations
from tests.interop.clients import HERE, need_perl_module, need_program


class Hybi10Tests(conversations.Fragmenting, conversations.Pinging):
    """draft-ietf-hybi-10, whose ``Sec-WebSocket-Version`` is 8, and which has ``Sec-WebSocket-Origin``."""

    draft: ClassVar[str] = "draft-ietf-hybi-10"
    number: ClassVar[int] = 8

    def command(self) -> list[str]:
        perl = need_program("perl")
        need_perl_module("Protocol::WebSocket")
        return [perl, str(HERE / "hybi_client.pl")]

    async def converse(self, path: str, *steps: list[Any], **more: Any) -> dict[str, Any]:
        return await super().converse(path, *steps, version=self.draft, **more)

    async def test_the_server_speaks_this_version(self) -> None:
        await self.converse("watched", ["close", 1000, ""])
        self.assertEqual(self.watched.streams[0].version, self.number)


class Hybi17Tests(Hybi10Tests):
    """draft-ietf-hybi-17, whose number is 13, as the RFC's."""

    draft = "draft-ietf-hybi-17"
    number = 13
