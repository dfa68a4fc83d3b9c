"""The client's reading and judgement of the server's answer to its opening handshake, in all versions.

An input is four bytes that choose the version, what was asked for, the offers, and how many sizes of pieces
follow; these sizes; and the bytes of the answer. The key of the request is that of the RFC's example.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Container, Iterable
from dataclasses import dataclass
from random import Random

from fuzz.common import ROOMY, Input, cut
from hunchensocket_tx.errors import HandshakeFailed, HandshakeRefused
from hunchensocket_tx.wire.answer import MAX_BODY, Answer, AnswerReader
from hunchensocket_tx.wire.deflate_offer import DeflateOffer
from hunchensocket_tx.wire.headers import parse_extensions, tokens
from hunchensocket_tx.wire.hixie_client import HixieClientHandshake
from hunchensocket_tx.wire.hybi_client import HybiClientHandshake
from hunchensocket_tx.wire.opening import Agreement, ClientHandshake

VERSIONS = (13, 76, 8, 7)

SUBPROTOCOLS, PIECES, TUNNEL = 1, 2, 4
"""Flags; the last one is for a reader that a proxy's tunnel begins behind, instead of frames."""

OFFERS = (
    (),
    (DeflateOffer(),),
    (
        DeflateOffer(server_max_window_bits=10, client_max_window_bits=10),
        DeflateOffer(client_max_window_bits=False),
    ),
    (DeflateOffer(True, True, 9, 8),),
)

KEY = b64decode("dGhlIHNhbXBsZSBub25jZQ==")

ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


@dataclass(frozen=True)
class Outcome:
    """What came of some bytes.

    :ivar answer: as read, or as far as it was there at the end; None if the bytes are none.
    :ivar rest: what is behind it.
    :ivar complete: whether it was complete before the end.
    :ivar error: why it is none.
    """

    answer: Answer | None = None
    rest: bytes = b""
    complete: bool = False
    error: str = ""


def check(data: bytes) -> None:
    """Check what has to hold of any input."""
    source = Input(data)
    version, flags, offers = source.choose(VERSIONS), source.byte(), source.choose(OFFERS)
    sizes = source.take(source.byte() % 8)
    received = source.rest()
    bodiless = range(200, 600) if flags & TUNNEL else (101,)
    whole = read([received], bodiless)
    assert read(cut(received, sizes), bodiless) == whole, f"cut by {sizes!r} it is not {whole}"
    if len(received) < 2000:
        assert read(cut(received, b"\x01"), bodiless) == whole, f"in single bytes it is not {whole}"
    if whole.answer is not None:
        assert len(whole.answer.body) <= MAX_BODY
        judge(whole.answer, whole.rest, _client(version, flags, offers), offers)


def read(pieces: Iterable[bytes], bodiless: Container[int]) -> Outcome:
    """Read an answer that comes in these pieces, behind which the connection ends."""
    reader = AnswerReader(bodiless)
    answer: Answer | None = None
    rest = b""
    try:
        for piece in pieces:
            if answer is not None:
                rest += piece
            elif (answer := reader.receive(piece)) is not None:
                rest = reader.rest
        if answer is None:
            return Outcome(reader.end())
    except HandshakeFailed as error:
        # What it quotes of bytes that are not HTTP depends on how many were there.
        return Outcome(error=_text(error).partition("begins with")[0])
    # Behind a body, nothing is of interest.
    return Outcome(answer, rest if answer.status in bodiless else b"", complete=True)


def judge(answer: Answer, rest: bytes, client: ClientHandshake, offers: tuple[DeflateOffer, ...]) -> None:
    """Check that a client goes on only if it may, as simply as can be said."""
    try:
        agreement = client.check(answer)
    except HandshakeFailed as error:
        _check_error(error, answer)
        return
    assert (answer.status, answer.http_version) == (101, "1.1")
    if client.version == 76:
        assert answer.all("upgrade") == ["WebSocket"]
        assert answer.all("sec-websocket-location") == ["ws://example.com/chat"]
        assert [origin.lower() for origin in answer.all("sec-websocket-origin")] == ["http://example.com"]
        assert agreement.extensions == ""
    else:
        assert [value.lower() for value in answer.all("upgrade")] == ["websocket"]
        assert "upgrade" in tokens(answer.all("connection"))
        assert answer.all("sec-websocket-accept") == [ACCEPT]
        _check_extensions(agreement, answer, offers)
    chosen = answer.all("sec-websocket-protocol")
    assert list(chosen) == ([] if agreement.subprotocol is None else [agreement.subprotocol])
    agreement.codec.receive(rest)


def _text(error: HandshakeFailed) -> str:
    text = str(error)
    assert text.isprintable(), f"{text!r} is not one line"
    return text


def _check_error(error: HandshakeFailed, answer: Answer) -> None:
    text = _text(error)
    assert isinstance(error, HandshakeRefused) == (answer.status != 101), text
    if isinstance(error, HandshakeRefused):
        assert (error.status, error.body) == (answer.status, answer.body)
        assert len(text) < 1000


def _check_extensions(agreement: Agreement, answer: Answer, offers: tuple[DeflateOffer, ...]) -> None:
    values = answer.all("sec-websocket-extensions")
    if not agreement.extensions:
        assert not any(values), f"{values} do not count"
        return
    (extension,) = parse_extensions(values)
    assert offers, f"{extension} was not offered"
    given = dict(extension.parameters)
    assert len(given) == len(extension.parameters)
    assert given.keys() <= {
        "server_no_context_takeover",
        "client_no_context_takeover",
        "server_max_window_bits",
        "client_max_window_bits",
    }
    limits = [offer.server_max_window_bits or 15 for offer in offers]
    assert int(given.get("server_max_window_bits") or 15) <= max(limits)
    assert "client_max_window_bits" not in given or any(offer.client_max_window_bits for offer in offers)


def _client(version: int, flags: int, offers: tuple[DeflateOffer, ...]) -> ClientHandshake:
    pieces = bool(flags & PIECES)
    if version == 76:
        return HixieClientHandshake(
            "example.com",
            "/chat",
            ROOMY,
            origin="http://example.com",
            subprotocol="chat" if flags & SUBPROTOCOLS else None,
            pieces=pieces,
            random=Random(0),
        )
    return HybiClientHandshake(
        "example.com",
        "/chat",
        ROOMY,
        version=version,
        subprotocols=["chat", "superchat"] if flags & SUBPROTOCOLS else [],
        offers=offers,
        pieces=pieces,
        random=lambda size: KEY[:size],
    )
