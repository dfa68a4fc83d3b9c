"""Answers that are not a 101, as exceptions that say what to do about them."""

from __future__ import annotations

from hunchensocket_tx.errors import HandshakeFailed, HandshakeRefused, VersionRefused
from hunchensocket_tx.wire.answer import Answer

__all__ = ["check_switched"]

_MENDS = {
    400: "it may want another version (version=76 for hixie-76), an Origin (origin=...) or a Host that it knows",
    401: "it wants credentials: put them into the URL, as ws://user:password@host/, or into headers",
    403: "it does not let us in: it may want an Origin that it knows (origin=...), a cookie or credentials",
    404: "there is no WebSocket at this path: check the URL",
    405: "there is no WebSocket at this path: check the URL",
    407: "a proxy wants credentials: put them into its URL, as proxy='http://user:password@host:port'",
    421: "it does not go by this host name: check the URL",
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
    spoken = answer.all("sec-websocket-version")
    if spoken and answer.status in (400, 426):
        others = ", ".join(spoken)
        raise VersionRefused(
            f"the server does not speak version {version}, but {others}: say version={others.split(',')[0]}, if "
            "that is one of 13, 8, 7 and 76",
            *_details(answer),
        )
    raise HandshakeRefused(
        f"the server answered {answer.status} {answer.reason or ''}".rstrip()
        + f": {_mend(answer)}{_quote(answer)}",
        *_details(answer),
    )


def _details(answer: Answer) -> tuple[int, dict[str, tuple[str, ...]], bytes]:
    return answer.status, {name: tuple(values) for name, values in answer.fields.items()}, answer.body


def _mend(answer: Answer) -> str:
    if answer.status < 300:
        return (
            "it answered as a web page: there is no WebSocket at this path, or a proxy dropped the Upgrade field"
        )
    if answer.status < 400:
        location = ", ".join(answer.all("location")) or "nowhere"
        return f"it points to {location}: use that URL, or say max_redirects=5"
    if answer.status == 426:
        return "it wants another protocol or version (version=76 for hixie-76)"
    if answer.status >= 500 and answer.status not in _MENDS:
        return "the server, or what is behind it, is in trouble: its log may tell more"
    return _MENDS.get(answer.status, "check the URL, and what the server wants of its clients")


def _quote(answer: Answer) -> str:
    """Return the first line of a body of plain text."""
    kinds = answer.all("content-type")
    if not kinds or not kinds[0].lower().startswith("text/plain"):
        return ""
    line = answer.body.decode("utf-8", "replace").strip().partition("\n")[0].strip()
    printable = "".join(char for char in line[:200] if char.isprintable())
    return f" (it says: {printable})" if printable else ""
