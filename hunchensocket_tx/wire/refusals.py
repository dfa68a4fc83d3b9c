"""Answers that are not a 101, as exceptions that say what to do about them."""

from __future__ import annotations

from hunchensocket_tx.errors import HandshakeFailed, HandshakeRefused, VersionRefused
from hunchensocket_tx.wire.answer import Answer
from hunchensocket_tx.wire.headers import shown, tokens
from hunchensocket_tx.wire.hybi_handshake import HYBI_VERSIONS

__all__ = ["check_switched"]

_MENDS = {
    400: "it may want another version ({other}), an Origin (origin=...) or a Host that it knows",
    401: "it wants credentials: put them into the URL, as ws://user:password@host/, or into headers",
    403: "it does not let us in: it may want an Origin that it knows (origin=...), a cookie or credentials",
    404: "there is no WebSocket at this path: check the URL",
    405: "there is no WebSocket at this path: check the URL",
    407: "a proxy wants credentials: put them into its URL, as proxy='http://user:password@host:port'",
    421: "it does not go by this host name: check the URL",
    426: "it wants another protocol or version ({other})",
    429: "there are too many requests: try again later",
    503: "try again later",
}


def check_switched(answer: Answer, version: int) -> None:
    """Check that a server is willing to speak WebSocket.

    :param version: the one that was asked for.
    :raises HandshakeRefused: with the mend in its text, if it answered as to any HTTP request.
    :raises HandshakeFailed: if it speaks HTTP/1.0, which has no upgrade (RFC 6455 section 4.2.2).
    """
    if answer.status == 101:
        if answer.http_version != "1.1":
            raise HandshakeFailed(f"the server switches protocols in HTTP/{answer.http_version}, not 1.1")
        return
    spoken = tokens(answer.all("sec-websocket-version"))
    # Some servers tell their version in whatever refusal, so it counts only if it is another one.
    if spoken and str(version) not in spoken and answer.status in (400, 426):
        ours = [f"version={common}" for common in HYBI_VERSIONS if str(common) in spoken]
        raise VersionRefused(
            f"the server does not speak version {version}, but {shown(', '.join(spoken))}: "
            + (f"say {' or '.join(ours)}" if ours else "we speak 13, 8, 7 and 76"),
            *_details(answer),
        )
    raise HandshakeRefused(
        f"the server answered {answer.status} {shown(answer.reason)}".rstrip()
        + f": {_mend(answer, version)}{_quote(answer)}",
        *_details(answer),
    )


def _details(answer: Answer) -> tuple[int, dict[str, tuple[str, ...]], bytes]:
    return answer.status, {name: tuple(values) for name, values in answer.fields.items()}, answer.body


def _mend(answer: Answer, version: int) -> str:
    locations = answer.all("location")
    if answer.status < 300:
        return (
            "it answered as a web page: there is no WebSocket at this path, or a proxy dropped the Upgrade field"
        )
    if answer.status < 400 and locations:
        return f"it points to {shown(locations[0])}: use that URL, or follow it (max_redirects=5, or more)"
    if answer.status >= 500 and answer.status not in _MENDS:
        return "the server, or what is behind it, is in trouble: its log may tell more"
    mend = _MENDS.get(answer.status, "check the URL, and what the server wants of its clients")
    return mend.format(other="version=76 for hixie-76" if version == 13 else "version=13 for RFC 6455")


def _quote(answer: Answer) -> str:
    """Return the first line of a body of plain text."""
    kinds = answer.all("content-type")
    if not kinds or not kinds[0].lower().startswith("text/plain"):
        return ""
    line = shown(answer.body.decode("utf-8", "replace").strip().partition("\n")[0])
    return f" (it says: {line})" if line else ""
