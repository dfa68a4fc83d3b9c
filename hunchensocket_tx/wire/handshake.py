"""The server's judgement of an opening handshake, for every version: an Offer, or a Refusal.

What all versions share is judged here: the HTTP side, where the request claims to come from and go to, and
which version it is. What one version demands is in a module of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hunchensocket_tx.settings import Settings
from hunchensocket_tx.wire.headers import forwarded_parameters, host_with_port, parse_origin, tokens
from hunchensocket_tx.wire.hixie_handshake import judge_hixie
from hunchensocket_tx.wire.opening import Offer, OpeningRequest, Refusal

__all__ = ["is_attempt", "judge"]


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
    version = _version(request)
    if isinstance(version, Refusal):
        return version
    if version not in settings.versions:
        return _unspoken(version, settings)
    secure, host = _public_address(request, settings)
    if isinstance(host, Refusal):
        return host
    refusal = _judge_origin(request, settings, secure, host)
    if refusal:
        return refusal
    if settings.legacy_over_tls_only and not secure:
        return Refusal(403, f"hixie-{version} is accepted over TLS only here")
    location = (settings.external_url or f"{'wss' if secure else 'ws'}://{host}").rstrip("/") + request.target
    return judge_hixie(request, settings, version, location, secure)


def _judge_http(request: OpeningRequest) -> Refusal | None:
    """Judge what makes a request an upgrade at all (hybi-00 section 5.1)."""
    if request.method != "GET":
        return Refusal(405, "a WebSocket is opened with GET", [("Allow", "GET")])
    if "websocket" not in tokens(request.all("upgrade")):
        return Refusal(400, "the Upgrade field does not name websocket")
    if "upgrade" not in tokens(request.all("connection")):
        return Refusal(400, "the Connection field does not name Upgrade")
    if not request.target.startswith("/") or not all("!" <= char <= "~" for char in request.target):
        return Refusal(400, "the request target is not a path of printable ASCII")
    return None


def _version(request: OpeningRequest) -> int | Refusal:
    """Tell the versions apart by their fields (HIXIE: Key1 and Key2; hybi-02 on: a number)."""
    if request.all("sec-websocket-version"):
        return _parse_version(request.all("sec-websocket-version"))
    if any(draft != "0" for draft in request.all("sec-websocket-draft")):
        return Refusal(400, "the drafts hybi-02 and hybi-03 are not spoken")
    if request.all("sec-websocket-key1") or request.all("sec-websocket-key2"):
        return 76
    if request.all("sec-websocket-key"):
        return Refusal(400, "Sec-WebSocket-Key came without Sec-WebSocket-Version")
    return 75


def _parse_version(values: Sequence[str]) -> int | Refusal:
    if len(values) == 1 and values[0].isascii() and values[0].isdigit() and len(values[0]) <= 3:
        return int(values[0])
    return Refusal(400, "Sec-WebSocket-Version is not one number")


def _unspoken(version: int, settings: Settings) -> Refusal:
    """Refuse a version, with those that are spoken where the client can understand them (RFC 6455 4.4)."""
    if version in (75, 76):
        return Refusal(403, f"hixie-{version} is switched off here")
    spoken = ", ".join(f"hixie-{number}" for number in settings.versions)
    return Refusal(
        426, f"WebSocket version {version} is not spoken here, only {spoken}", [("Upgrade", "WebSocket")]
    )


def _public_address(request: OpeningRequest, settings: Settings) -> tuple[bool, str | Refusal]:
    """Return whether the client's side is TLS, and the host it used, as a browser writes it in a URL."""
    secure = request.secure
    hosts = list(request.all("host"))
    if request.trusted:
        forwarded = forwarded_parameters(request.all("forwarded"))
        protocol = forwarded.get("proto") or (tokens(request.all("x-forwarded-proto")) or [""])[-1]
        if protocol:
            secure = protocol.lower() in ("https", "wss")
        forwarded_host = forwarded.get("host") or (request.all("x-forwarded-host") or [""])[-1]
        if forwarded_host:
            hosts = [forwarded_host.rpartition(",")[2].strip()]
    if settings.external_url is not None:
        secure = settings.external_url.startswith("wss://")
    host = host_with_port(hosts[0], "wss" if secure else "ws") if len(hosts) == 1 else None
    if host is None:
        return secure, Refusal(400, "there is not exactly one well-formed Host")
    if settings.hosts and host not in settings.hosts:
        return secure, Refusal(403, "this server does not go by that Host")
    return secure, host


def _judge_origin(request: OpeningRequest, settings: Settings, secure: bool, host: str) -> Refusal | None:
    """Judge where the page comes from that wants to connect (hybi-00 section 5.1; RFC 6455 section 10.2)."""
    origins = request.all("origin")
    if not origins or settings.origins == "*":
        return None
    if len(origins) > 1:
        return Refusal(400, "there is more than one Origin")
    origin = origins[0]
    if settings.origins != "same":
        listed = {parse_origin(one) or one for one in settings.origins}
        return (
            None
            if (parse_origin(origin) or origin) in listed
            else Refusal(403, "pages of that Origin may not connect")
        )
    own = f"{'https' if secure else 'http'}://{host}"
    if settings.external_url is not None:
        own = "http" + "/".join(settings.external_url.split("/")[:3])[2:]
    if parse_origin(origin) == parse_origin(own):
        return None
    return Refusal(
        403,
        f"only pages of {own} may connect (the server's setting 'origins' names others; behind a proxy, "
        "'trusted_proxies' or 'external_url' tells the server its own name)",
    )
