"""The server's judgement of opening handshakes of all versions, and the parsers of header fields.

An input is four bytes that choose settings, and the head of a request. Fields whose names start with ``setting-``
are settings.
"""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass
from hashlib import md5, sha1
from ipaddress import ip_address
from random import Random

from fuzz.common import ROOMY, Input, echo
from hunchensocket_tx.addresses import DEFAULT_PORTS, host_with_port, normal_url, parse_origin
from hunchensocket_tx.errors import InvalidSetting
from hunchensocket_tx.settings import Settings
from hunchensocket_tx.wire.answer import Answer
from hunchensocket_tx.wire.deflate import EXTENSION, Deflate, DeflateParameters
from hunchensocket_tx.wire.events import Opened, Reply
from hunchensocket_tx.wire.forwarded import forwarded_client
from hunchensocket_tx.wire.handshake import is_attempt, judge, subprotocols
from hunchensocket_tx.wire.headers import (
    Extension,
    forwarded_parameters,
    is_field_value,
    is_token,
    parse_extensions,
    tokens,
)
from hunchensocket_tx.wire.hixie_client import HixieClientHandshake
from hunchensocket_tx.wire.hixie_handshake import HixieOffer
from hunchensocket_tx.wire.hybi import HybiCodec
from hunchensocket_tx.wire.hybi_handshake import HybiOffer
from hunchensocket_tx.wire.opening import Offer, OpeningRequest, Refusal, check_extra_headers, render_head

VERSIONS = ((13, 8, 7, 76, 75), (13, 8, 7, 76), (76, 75), (13,))

ORIGINS = ("same", "*", None)
"""None is for those that the input lists."""

SECURE, TRUSTED, TLS_ONLY, NO_COMPRESSION, NO_TAKEOVER, PIECES = 1, 2, 4, 8, 16, 32
"""Flags."""

GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

FAR = Random(0).randbytes(600) * 2
"""Compresses well only with a window that is larger than the smallest one."""

OPEN = Settings(origins="*")

KEY3 = b"^n:ds[4U"

Fields = dict[str, list[str]]


@dataclass(frozen=True)
class Head:
    """The head of a request or an answer, taken apart."""

    first_line: str
    fields: Fields

    @classmethod
    def parse(cls, data: bytes) -> Head:
        """Take a head apart as twisted.web does: there are no line ends in values, and no blanks around them."""
        first_line, *lines = data.decode("latin-1").replace("\r\n", "\n").replace("\r", " ").split("\n")
        fields: Fields = {}
        for line in lines:
            name, separator, value = line.partition(":")
            if separator:
                fields.setdefault(name.lower(), []).append(value.strip(" \t"))
        return cls(first_line, fields)

    @classmethod
    def parse_own(cls, data: bytes) -> Head:
        """Take a head of ours apart, which has to be well-formed: nothing breaks out of its line."""
        assert data.endswith(b"\r\n\r\n")
        lines = data.split(b"\r\n")[:-2]
        assert all(lines), f"the head ends within: {data!r}"
        assert all(is_field_value(line.decode("latin-1")) for line in lines), f"control characters: {data!r}"
        assert all(b": " in line for line in lines[1:]), f"{data!r} has a line that is no field"
        return cls.parse(data[:-4])

    def one(self, name: str) -> str:
        """Return the value of a field that has to occur once."""
        assert len(self.fields.get(name, ())) == 1, f"{name} is {self.fields.get(name)}"
        return self.fields[name][0]


def check(data: bytes) -> None:
    """Check what has to hold of any input."""
    source = Input(data)
    versions, origins, flags, window_bits = (
        source.choose(VERSIONS),
        source.choose(ORIGINS),
        source.byte(),
        source.choose(range(9, 16)),
    )
    head = Head.parse(source.rest())
    method, target, http_version = [*head.first_line.split(" ", 2), "", ""][:3]
    request = OpeningRequest(
        method,
        target,
        head.fields,
        http_version=http_version,
        secure=bool(flags & SECURE),
        trusted=bool(flags & TRUSTED),
    )
    _check_parsers(head.fields)
    try:
        settings = Settings(
            versions=versions,
            origins=head.fields.get("setting-origin", ()) if origins is None else origins,
            hosts=head.fields.get("setting-host", ()),
            legacy_over_tls_only=bool(flags & TLS_ONLY),
            external_url=next(iter(head.fields.get("setting-external-url", ())), None),
            compression=not flags & NO_COMPRESSION,
            compression_context_takeover=not flags & NO_TAKEOVER,
            compression_window_bits=window_bits,
        )
    except InvalidSetting:
        return
    verdict = judge(request, settings)
    if isinstance(verdict, Refusal):
        _check_refusal(verdict, settings)
    else:
        _check_offer(verdict, request, settings, pieces=bool(flags & PIECES))
    _check_hixie_client(request)


def _check_refusal(refusal: Refusal, settings: Settings) -> None:
    assert refusal.status in (400, 403, 405, 426)
    assert refusal.reason.splitlines() == [refusal.reason], f"{refusal.reason!r} is not one line"
    answer = Head.parse_own(render_head(f"HTTP/1.1 {refusal.status} No", refusal.headers))
    if refusal.status == 405:
        assert answer.one("allow") == "GET"
    if refusal.status == 426:
        assert answer.one("upgrade") == "websocket"
        spoken = tokens(answer.fields.get("sec-websocket-version", ()))
        assert set(spoken) == {str(version) for version in settings.versions if version < 75}


def _check_offer(offer: Offer, request: OpeningRequest, settings: Settings, *, pieces: bool) -> None:
    assert is_attempt(request.fields)
    assert request.method == "GET"
    assert offer.version in settings.versions
    assert offer.subprotocols == subprotocols(request)
    assert offer.secure or offer.version < 75 or not settings.legacy_over_tls_only
    _check_version(offer, request)
    _check_origin(offer, request, settings)
    for subprotocol in (None, *offer.subprotocols[:3]):
        answer = Head.parse_own(offer.accept(subprotocol, [("X-More", "more")]))
        assert answer.first_line.startswith("HTTP/1.1 101 ")
        assert answer.one("upgrade").lower() == "websocket"
        assert answer.one("connection") == "Upgrade"
        assert answer.one("x-more") == "more"
        assert not {"content-length", "transfer-encoding"} & answer.fields.keys()
        prefix = "" if offer.version == 75 else "sec-"
        assert answer.fields.get(f"{prefix}websocket-protocol", [None]) == [subprotocol]
        if isinstance(offer, HybiOffer):
            _check_hybi_answer(answer, offer)
        elif isinstance(offer, HixieOffer):
            _check_hixie_answer(answer, prefix, offer, request)
    codec = offer.codec(pieces=pieces)
    if offer.version != 76:
        assert codec.receive(b"") == [Opened()]
    if isinstance(offer, HixieOffer) and offer.key_parts is not None:
        challenge = b"".join(part.to_bytes(4, "big") for part in offer.key_parts) + KEY3
        assert codec.receive(b"") == []
        assert codec.receive(KEY3) == [Reply(md5(challenge, usedforsecurity=False).digest()), Opened()]
    if isinstance(offer, HybiOffer) and offer.deflate is not None:
        _check_deflate(offer.deflate, parse_extensions(request.all("sec-websocket-extensions")), settings)
        end = HybiCodec(settings, client=True, deflate=Deflate(offer.deflate, settings, client=True))
        echo([FAR, "", FAR[::-1]], offer.codec(), end, b"\x50")


def _check_version(offer: Offer, request: OpeningRequest) -> None:
    """Check that the version is the one that the fields tell (HIXIE76.md section 8)."""
    if request.all("sec-websocket-version"):
        assert request.all("sec-websocket-version") == [str(offer.version)]
        assert offer.version < 75
        assert request.http_version == "HTTP/1.1"
    else:
        assert offer.version == (76 if request.all("sec-websocket-key1") else 75)


def _check_origin(offer: Offer, request: OpeningRequest, settings: Settings) -> None:
    """Check that a page may connect, as simply as can be said."""
    names = ["origin", "sec-websocket-origin"] if offer.version in (7, 8) else ["origin"]
    origins = next((request.all(name) for name in names if request.all(name)), ())
    assert offer.origin == (origins[0] if origins else None)
    if not origins or settings.origins == "*":
        return
    origin = origins[0].lower()
    if settings.origins != "same":
        assert origin in [one.lower() for one in settings.origins] or parse_origin(origin) in [
            parse_origin(one) for one in settings.origins if parse_origin(one)
        ]
        return
    scheme, _, host = origin.partition("://")
    assert scheme == ("https" if offer.secure else "http"), f"{origin} is not of this server"
    if settings.external_url is not None:
        own = settings.external_url.partition("://")[2].partition("/")[0]
    elif request.trusted:
        return
    else:
        own = request.all("host")[0]
    assert host_with_port(host, scheme) is not None, f"{origin} is no origin"
    assert host_with_port(host, scheme) == host_with_port(own, scheme), f"{origin} is not of {own}"


def _check_hybi_answer(answer: Head, offer: HybiOffer) -> None:
    digest = sha1((offer.key + GUID).encode(), usedforsecurity=False).digest()
    assert answer.one("sec-websocket-accept") == b64encode(digest).decode()
    assert answer.fields.get("sec-websocket-extensions", [""]) == [offer.extensions]


def _check_hixie_answer(answer: Head, prefix: str, offer: HixieOffer, request: OpeningRequest) -> None:
    assert answer.one("upgrade") == "WebSocket"
    assert answer.one(f"{prefix}websocket-origin") == offer.origin
    location = answer.one(f"{prefix}websocket-location")
    assert location.startswith("wss://" if offer.secure else "ws://")
    assert location.endswith(request.target)
    assert offer.extensions == ""


def _check_deflate(agreed: DeflateParameters, offers: list[Extension], settings: Settings) -> None:
    """Check that the answer fits one of the offers (RFC 7692 section 7.1)."""
    assert settings.compression
    (extension,) = parse_extensions([str(agreed)])
    assert extension.name == EXTENSION
    assert any(_fits(agreed, offer) for offer in offers), f"{agreed} answers none of {offers}"


def _fits(agreed: DeflateParameters, offer: Extension) -> bool:
    wanted = dict(offer.parameters)
    if offer.name != EXTENSION or len(wanted) != len(offer.parameters):
        return False
    bits = (wanted.get("server_max_window_bits"), wanted.get("client_max_window_bits"))
    if any(value is not None and not (value.isascii() and value.isdigit()) for value in bits):
        return False
    if "server_no_context_takeover" in wanted and not agreed.server_no_context_takeover:
        return False
    if agreed.server_max_window_bits > int(wanted.get("server_max_window_bits") or 15):
        return False
    if "client_max_window_bits" not in wanted:
        return agreed.client_max_window_bits == 15
    return agreed.client_max_window_bits <= int(wanted["client_max_window_bits"] or 15)


def _check_hixie_client(request: OpeningRequest) -> None:
    """Check that our own hixie client and our server come to terms, or that one of them says why not."""
    host, origin = (next(iter(request.all(name)), "") for name in ("host", "origin"))
    try:
        client = HixieClientHandshake(host, request.target, ROOMY, origin=origin, random=Random(0))
    except ValueError:
        return
    head = Head.parse_own(client.request[:-8])
    assert head.first_line == f"GET {request.target} HTTP/1.1"
    asked = OpeningRequest("GET", request.target, head.fields)
    verdict = judge(asked, OPEN)
    if isinstance(verdict, Refusal):
        assert host_with_port(host, "ws") is None or not origin, verdict
    elif host_with_port(host, "ws") == host.lower():
        answer = Head.parse_own(verdict.accept(None, ()))
        agreement = client.check(Answer(101, "", answer.fields))
        server = verdict.codec()
        reply = server.receive(client.request[-8:])[0]
        assert isinstance(reply, Reply)
        assert agreement.codec.receive(reply.data) == [Opened()]


def _check_parsers(fields: Fields) -> None:
    client = forwarded_client(fields, OPEN.trusts)
    assert client is None or (str(ip_address(client.host)) == client.host and 0 <= client.port < 65536)
    for values in fields.values():
        assert all(is_token(token) and token == token.lower() for token in tokens(values))
        assert all(is_token(name) and name == name.lower() for name in forwarded_parameters(values))
        _check_extensions(values)
        for value in values:
            _check_origin_parser(value)
            url = normal_url(value)
            assert url is None or normal_url(url) == url, f"{url} is not the same again"
            for scheme in DEFAULT_PORTS:
                host = host_with_port(value, scheme)
                assert host is None or host_with_port(host, scheme) == host, f"{host} is not the same again"
                assert host is None or not host.endswith(":0"), f"{host} cannot be connected to"
    extra = [(name, value) for name, values in fields.items() for value in values]
    try:
        extra = list(check_extra_headers(extra))
    except ValueError:
        return
    answer = Head.parse_own(render_head("HTTP/1.1 101 Yes", extra))
    assert answer.fields == fields, f"{answer.fields} is not {fields}"


def _check_extensions(values: list[str]) -> None:
    extensions = parse_extensions(values)
    for name, parameters in extensions:
        assert is_token(name)
        assert all(is_token(one) and (value is None or is_token(value)) for one, value in parameters)
    written = ", ".join(
        "; ".join([name, *(one if value is None else f"{one}={value}" for one, value in parameters)])
        for name, parameters in extensions
    )
    assert parse_extensions([written]) == extensions, f"{written} is not the same again"


def _check_origin_parser(text: str) -> None:
    origin = parse_origin(text)
    if origin is None:
        return
    port = "" if origin.port is None else f":{origin.port}"
    assert parse_origin(f"{origin.scheme}://{origin.host}{port}") == origin
    assert parse_origin(text.upper()) == origin
