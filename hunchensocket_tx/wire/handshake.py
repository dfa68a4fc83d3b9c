"""The server's judgement of an opening handshake, for every version: an Offer, or a Refusal.

What all versions share is judged here: the HTTP side, where the request claims to come from and go to, and
which version it is. What one version demands is in a module of its own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from hunchensocket_tx.addresses import host_with_port, parse_origin
from hunchensocket_tx.settings import Settings
from hunchensocket_tx.wire.forwarded import forwarded_clients
from hunchensocket_tx.wire.headers import forwarded_parameters, tokens
from hunchensocket_tx.wire.hixie_handshake import hixie_subprotocols, judge_hixie
from hunchensocket_tx.wire.hybi_handshake import HYBI_VERSIONS, hybi_subprotocols, judge_hybi
from hunchensocket_tx.wire.opening import HeaderFields, Offer, OpeningRequest, Refusal

__all__ = ["is_attempt", "judge", "judge_page", "subprotocols"]

_TARGET = re.compile(r"/[!-~]*\Z")


def is_attempt(fields: Mapping[str, Sequence[str]]) -> bool:
    """Tell whether a request tries to open a WebSocket, rightly or not, by its fields (names in lower case).

    Such a request may be followed by bytes that are not HTTP, so its connection must not serve another one.
    """
    if any(name.startswith("sec-websocket-") for name in fields):
        return True
    return "websocket" in tokens(fields.get("upgrade", ()))


def judge(request: OpeningRequest, settings: Settings) -> Offer | Refusal:
    """Judge a request to open a WebSocket.

    :returns: an offer for a dispatcher to accept, or the refusal to answer with: 400 for a malformed
        handshake, 403 for an origin, a host or a version that is not allowed here, 405 for a method other
        than GET, 426 for a version that is not spoken.
    """
    refusal = _judge_http(request)
    if refusal:
        return refusal
    version = _version(request, settings)
    if isinstance(version, Refusal):
        return version
    if version not in settings.versions:
        return Refusal(403, f"hixie-{version} is switched off here", cause="version")
    secure, host = _public_address(request, settings)
    if isinstance(host, Refusal):
        return host
    refusal = _judge_origin(_origins(request, version), settings, secure, host)
    if refusal:
        return refusal
    if version in HYBI_VERSIONS:
        return judge_hybi(request, settings, version, secure)
    if settings.legacy_over_tls_only and not secure:
        return Refusal(403, f"hixie-{version} is accepted over TLS only here", cause="tls")
    location = (settings.external_url or f"{'wss' if secure else 'ws'}://{host}").rstrip("/") + request.target
    return judge_hixie(request, settings, version, location, secure)


def judge_page(request: OpeningRequest, settings: Settings) -> Refusal | None:
    """Judge where a request comes from and goes to, by its Origin and Host, whatever it asks for.

    :returns: None if it may; else the refusal: 400 for fields that are malformed or contradict each other, 403 for
        an origin or a host that is not allowed here.
    """
    secure, host = _public_address(request, settings)
    if isinstance(host, Refusal):
        return host
    return _judge_origin(request.all("origin"), settings, secure, host)


def _judge_http(request: OpeningRequest) -> Refusal | None:
    """Judge what makes a request an upgrade at all (hybi-00 section 5.1)."""
    if request.method != "GET":
        return Refusal(405, "a WebSocket is opened with GET", [("Allow", "GET")], "method")
    if "websocket" not in tokens(request.all("upgrade")):
        return Refusal(400, "the Upgrade field does not name websocket")
    if "upgrade" not in tokens(request.all("connection")):
        return Refusal(400, "the Connection field does not name Upgrade")
    if not _TARGET.match(request.target):
        return Refusal(400, "the request target is not a path of printable ASCII")
    return None


def subprotocols(request: OpeningRequest) -> tuple[str, ...]:
    """Return the subprotocols that a client offers, whatever its version; empty if they are malformed."""
    offered = (hybi_subprotocols if request.all("sec-websocket-version") else hixie_subprotocols)(request)
    return () if isinstance(offered, Refusal) else offered


def _version(request: OpeningRequest, settings: Settings) -> int | Refusal:
    """Tell the versions apart by their fields: a number since hybi-04, Key1 and Key2 in hixie-76."""
    if request.all("sec-websocket-version"):
        return _parse_version(request.all("sec-websocket-version"), settings)
    drafts = request.all("sec-websocket-draft")
    if any(draft != "0" for draft in drafts):
        return Refusal(400, "the drafts hybi-02 and hybi-03 are not spoken", cause="version")
    if drafts or request.all("sec-websocket-key1") or request.all("sec-websocket-key2"):
        return 76
    if request.all("sec-websocket-key") or 75 not in settings.versions:
        reason = "Sec-WebSocket-Version is missing (and hixie-75, which has none, is switched off here)"
        return Refusal(400, reason, _spoken(settings), "version")
    return 75


def _parse_version(values: Sequence[str], settings: Settings) -> int | Refusal:
    """Return the number that the client asks for, if it is spoken; if not, tell those that are (4.4)."""
    if len(values) != 1 or not values[0].isascii() or not values[0].isdigit():
        return Refusal(400, "Sec-WebSocket-Version is not one number", _spoken(settings))
    for version in HYBI_VERSIONS:
        if values[0] == str(version) and version in settings.versions:
            return version
    fields = [("Upgrade", "websocket"), *_spoken(settings)]
    return Refusal(426, f"WebSocket version {values[0][:9]} is not spoken here", fields, "version")


def _spoken(settings: Settings) -> HeaderFields:
    versions = ", ".join(str(version) for version in HYBI_VERSIONS if version in settings.versions)
    return [("Sec-WebSocket-Version", versions)] if versions else []


def _origins(request: OpeningRequest, version: int) -> Sequence[str]:
    """Return the Origin, which hybi-07 to -10 call by another name."""
    origins = request.all("origin")
    return origins if origins or version not in (7, 8) else request.all("sec-websocket-origin")


def _public_address(request: OpeningRequest, settings: Settings) -> tuple[bool, str | Refusal]:
    """Return whether the client's side is TLS, and the host it used, as a browser writes it in a URL."""
    secure = request.secure
    hosts = list(request.all("host"))
    if request.trusted:
        forwarded = forwarded_parameters(request.all("forwarded"))
        protocols = {forwarded.get("proto", "").lower(), *tokens(request.all("x-forwarded-proto"))[-1:]} - {""}
        named = {name.rpartition(",")[2].strip().lower() for name in request.all("x-forwarded-host")[-1:]}
        named = (named | {forwarded.get("host", "").lower()}) - {""}
        # Without a limit by address, a client's address in doubt is not told, and no reason to refuse it.
        by_address = settings.max_connections_per_address
        clients = forwarded_clients(request.fields, settings.trusts) if by_address else ()
        if any(len(told) > 1 for told in (protocols, named, clients)):
            # One of them is the client's own, which the proxy let pass.
            return secure, Refusal(
                400,
                "Forwarded and X-Forwarded fields contradict each other; let the proxy drop what it does not set",
            )
        if protocols:
            secure = protocols.pop() in ("https", "wss")
        if named:
            hosts = [named.pop()]
    if settings.external_url is not None:
        secure = settings.external_url.startswith("wss://")
    host = host_with_port(hosts[0], "wss" if secure else "ws") if len(hosts) == 1 else None
    if host is None:
        return secure, Refusal(400, "there is not exactly one well-formed Host")
    if settings.hosts and host not in {host_with_port(name, "wss" if secure else "ws") for name in settings.hosts}:
        return secure, Refusal(403, "this server does not go by that Host", cause="host")
    return secure, host


def _judge_origin(origins: Sequence[str], settings: Settings, secure: bool, host: str) -> Refusal | None:
    """Judge where the page comes from that wants to connect (hybi-00 section 5.1; RFC 6455 section 10.2)."""
    if len(origins) > 1:
        return Refusal(400, "there is more than one Origin")
    if not origins or settings.origins == "*":
        return None
    origin = origins[0]
    if settings.origins != "same":
        listed = {parse_origin(one) or one for one in settings.origins}
        return (
            None
            if (parse_origin(origin) or origin) in listed
            else Refusal(403, "pages of that Origin may not connect", cause="origin")
        )
    own = f"{'https' if secure else 'http'}://{host}"
    if settings.external_url is not None:
        own = "http" + "/".join(settings.external_url.split("/")[:3])[2:]
    parsed = parse_origin(origin)
    if parsed is not None and parsed == parse_origin(own):
        return None
    if origin == host:  # no page has such an origin; the WebSockets of socket.io 0.9 on node say it so
        return None
    return Refusal(
        403,
        f"only pages of {own} may connect (the server's setting 'origins' names others; behind a proxy, "
        "'trusted_proxies' or 'external_url' tells the server its own name)",
        cause="origin",
    )
