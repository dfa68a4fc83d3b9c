"""WebSocketResource: WebSockets on a path of any twisted.web site."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from typing import Any, TypeVar

from twisted.internet.defer import CancelledError, Deferred, DeferredList
from twisted.internet.error import ConnectionLost
from twisted.internet.interfaces import IAddress, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.http_headers import Headers
from twisted.web.resource import IResource, Resource
from twisted.web.server import NOT_DONE_YET, Request

from hunchensocket_tx.admission import client_name, judge_limits
from hunchensocket_tx.cascade import (
    Accept,
    Decision,
    Dispatcher,
    Reject,
    decide,
    default_websocket_handler,
    run_cascade,
)
from hunchensocket_tx.client_address import comes_from_trusted_proxy, set_client_address
from hunchensocket_tx.fastest import fastest_transport
from hunchensocket_tx.head_request import HeadRequest
from hunchensocket_tx.settings import Settings
from hunchensocket_tx.stream import WebSocketStream
from hunchensocket_tx.takeover import (
    answer_and_close,
    render_other,
    serve_no_more,
    take_over,
)
from hunchensocket_tx.tallied import TalliedStream
from hunchensocket_tx.tally import Tally
from hunchensocket_tx.timers import Timers
from hunchensocket_tx.wire.events import CloseReason
from hunchensocket_tx.wire.handshake import is_attempt as wire_is_attempt
from hunchensocket_tx.wire.handshake import judge, subprotocols
from hunchensocket_tx.wire.opening import HeaderFields, Offer, OpeningRequest, Refusal

__all__ = ["WebSocketResource", "is_attempt", "offered_subprotocols", "select_subprotocol"]

Result = TypeVar("Result")

HELP = "This is the address of a WebSocket: open it with a WebSocket client.\n"

REASONS = {426: b"Upgrade Required", 429: b"Too Many Requests", 421: b"Misdirected Request"}
"""Reason phrases that twisted.web does not have in every release."""

_GOING_AWAY = Refusal(503, "the server is going away", cause="stopping")

NOT_FOR_AN_UPGRADE = frozenset(
    {b"connection", b"content-length", b"content-type", b"date", b"server", b"transfer-encoding", b"upgrade"}
)
"""Fields that twisted.web or a parent resource may have set, and that a 101 answer must or need not have."""


class WebSocketResource(Resource):
    """A leaf that upgrades requests, at and below its path, to WebSockets.

    :param dispatchers: asked in order about each request; the first that accepts wins. Without any, those of
        the shared list :data:`websocket_handlers` are.
    :param fallback: a resource for requests that do not ask for a WebSocket and for those that no dispatcher
        takes; without one, the former are told what this is (426, 405), the latter get a 404.
    :param settings: limits, timers, origins, versions; the defaults are safe.
    :param reactor: where timers run; the global reactor by default.
    :param changes: single settings, as ``origins="*"``.

    :ivar streams: the WebSockets that are open, or not quite open or closed yet.
    :ivar handshakes: how many opening handshakes were accepted, by version.
    :ivar tally: counters of these and of much else, and what limits to their number count by; may be replaced, to
        begin with, by one that several resources share.
    """

    isLeaf = True  # noqa: N815

    _log = Logger()

    def __init__(
        self,
        *dispatchers: Dispatcher,
        fallback: IResource | None = None,
        settings: Settings | None = None,
        reactor: IReactorTime | None = None,
        **changes: Any,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.settings = replace(settings or Settings(), **changes)
        self.streams: set[WebSocketStream] = set()
        self.handshakes: Counter[int] = Counter()
        self.tally = Tally()
        self._stopped = False
        self._asking: set[Deferred[Decision]] = set()
        self._refusing: set[Deferred[None]] = set()  # answers that are on their way
        self._dispatchers = dispatchers or (default_websocket_handler,)
        self._fallback = fallback
        self._clock: Any = Timers(reactor or _global_reactor())

    def render(self, request: Request) -> Any:
        """Answer a request: with a WebSocket if it asks for one rightly and is taken."""
        set_client_address(request, self.settings)
        fields = _fields(request)
        if not wire_is_attempt(fields):
            return self._render_plain(request)
        verdict = judge(_opening_request(request, fields, self.settings), self.settings)
        if self._stopped:
            verdict = _GOING_AWAY
        elif not isinstance(verdict, Refusal):
            verdict = judge_limits(self.tally, self.settings, _counted_as(request, self.settings)) or verdict
        if isinstance(verdict, Refusal):
            self._refuse(request, verdict)
            return NOT_DONE_YET
        try:
            started = self._clock.seconds()
            decision = decide(request, self._dispatchers)
            if isinstance(decision, Deferred):
                self._wait_for(decision, request, verdict, started)
            else:
                self._carry_out(decision, request, verdict, started)
        except Exception:
            self._failed(Failure(), request)
        return NOT_DONE_YET

    def _wait_for(self, asking: Deferred[Decision], request: Request, offer: Offer, started: float) -> None:
        """Wait for a dispatcher that takes its time; it need not go on if the client leaves meanwhile."""
        if not asking.called:
            self._asking.add(asking)
            self.tally.opening.add(asking)
            asking.addBoth(self._forget, asking)
            left = request.notifyFinish()
            left.addErrback(lambda _: asking.cancel())
            asking.addBoth(self._stop_waiting, request, left)
        asking.addCallback(self._carry_out, request, offer, started).addErrback(self._failed, request)

    def _stop_waiting(self, result: Result, request: Request, left: Deferred[None]) -> Result:
        """A request that somebody waits for is kept as long as its WebSocket is open."""
        if left in request.notifications:
            request.notifications.remove(left)
        return result

    def start(self) -> None:
        """Open WebSockets again, after :meth:`stop`."""
        self._stopped = False

    def stop(self, code: int = 1001, reason: str = "going away") -> Deferred[Any]:
        """Open no WebSocket any more, also on connections that are there already, and close all that are open.

        :returns: as :meth:`close_all`.
        """
        self._stopped = True
        return self.close_all(code, reason)

    def close_all(self, code: int = 1001, reason: str = "going away") -> Deferred[Any]:
        """Close all open WebSockets, and refuse those whose dispatchers have not answered yet.

        Those whose opening handshake is not complete yet (key3 of hixie-76 is missing) are closed once it is.

        :returns: a Deferred that fires when they are gone, and those who were refused one have their answer,
            which the timeouts for closing and for the opening handshake bound. A slow reader that goes on reading
            may take longer.
        """
        for asking in tuple(self._asking):
            asking.cancel()
        waiting: list[Deferred[Any]] = [stream.when_closed() for stream in self.streams]
        for stream in tuple(self.streams):
            stream.close_once_open(code, reason)
        return DeferredList([*waiting, *self._refusing])

    def abort_all(self) -> None:
        """Drop all WebSockets at once, and wait for no answer to a refused one."""
        for stream in tuple(self.streams):
            stream.abort()
        for refusing in tuple(self._refusing):
            refusing.cancel()

    def _render_plain(self, request: Request) -> Any:
        if self._fallback is not None:
            render_other(request, self._fallback)
            return NOT_DONE_YET
        request.setHeader(b"content-type", b"text/plain; charset=utf-8")
        if request.method in (b"GET", b"HEAD"):
            request.setResponseCode(426, REASONS[426])
            if request.clientproto.startswith(b"HTTP/1"):  # later ones know no such fields
                request.setHeader(b"upgrade", b"websocket")
                request.setHeader(b"connection", b"Upgrade")
        else:
            request.setResponseCode(405)
            request.setHeader(b"allow", b"GET")
        return HELP.encode()

    def _carry_out(self, decision: Decision, request: Request, offer: Offer, started: float) -> None:
        if getattr(request, "channel", None) is None:
            return  # the client left, or the dispatcher itself has answered
        if isinstance(decision, Accept):
            refusal = judge_limits(
                self.tally, self.settings, _counted_as(request, self.settings)
            )  # others have come meanwhile
            if refusal is None:
                self._accept(request, offer, decision, started)
            else:
                self._refuse(request, refusal)
        elif isinstance(decision, Reject):
            self.tally.refused[decision.status, "dispatcher"] += 1
            self._answer(request, decision.status, decision.body, decision.headers)
        elif self._fallback is not None:
            serve_no_more(request)
            render_other(request, self._fallback)
        else:
            self._refuse(request, Refusal(404, "there is no WebSocket at this address", cause="path"))

    def _forget(self, result: Decision | Failure, asking: Deferred[Decision]) -> Decision | Failure:
        self._asking.discard(asking)
        self.tally.opening.discard(asking)
        return result

    def _accept(self, request: Request, offer: Offer, decision: Accept, started: float) -> None:
        subprotocol = decision.subprotocol
        if subprotocol is not None and subprotocol not in offer.subprotocols:
            raise ValueError(
                f"the client did not offer the subprotocol {subprotocol!r}, only {offer.subprotocols}"
            )
        head = offer.accept(subprotocol, [*_application_fields(request), *decision.headers])
        stream = TalliedStream(
            offer.codec(pieces=decision.pieces),
            self.settings,
            self._clock,
            request=request,
            subprotocol=subprotocol,
            extensions=offer.extensions,
            secure=offer.secure,
            peer=_told_address(request),
            tally=self.tally,
            counted_as=_counted_as(request, self.settings),
            started=started,
        )
        run_cascade(stream, decision.handshake)
        content: Any = request.content
        content.seek(0)  # the dispatcher may have read it
        body = content.read()
        early = body + take_over(request, stream)
        request.setResponseCode(101)
        self.handshakes[offer.version] += 1
        self.streams.add(stream)
        self.tally.begin(stream)
        stream.owner = self
        transport = fastest_transport(request.channel.transport, stream, lane=self.settings.fast_lane)
        transport.write(head)
        stream.makeConnection(transport)
        if offer.version in (75, 76):  # operators want to see when the old versions may be switched off
            self._log.info("{stream} is being opened at {uri}", stream=stream, uri=request.uri)
        stream.dataReceived(early)

    def stream_ended(self, stream: TalliedStream, end: CloseReason) -> None:
        """Forget a stream, and write its line into the access log."""
        self.streams.discard(stream)
        stream.tally.end(stream, end, self._clock.seconds())
        lost = None if end.clean else Failure(ConnectionLost(end.reason))
        stream.finish_request(lost)

    def _refuse(self, request: Request, refusal: Refusal) -> None:
        self.tally.refused[refusal.status, refusal.cause] += 1
        self._log.info(
            "{peer} was refused a WebSocket at {uri}: {status} {reason}",
            peer=request.getClientAddress(),
            uri=request.uri,
            status=refusal.status,
            reason=refusal.reason,
        )
        self._answer(request, refusal.status, f"{refusal.reason}\n", refusal.headers)

    def _answer(self, request: Request, status: int, body: str | bytes, headers: HeaderFields | Any) -> None:
        request.setResponseCode(status, REASONS.get(status))
        request.setHeader(b"content-type", b"text/plain; charset=utf-8")
        for name in {name for name, _ in headers}:
            request.responseHeaders.removeHeader(name)
        for name, value in headers:
            request.responseHeaders.addRawHeader(name, value)
        data = body.encode() if isinstance(body, str) else body
        refusing: Deferred[Any] = request.notifyFinish()
        self._refusing.add(refusing)
        refusing.addBoth(lambda _: self._refusing.discard(refusing))
        answer_and_close(request, data, self._clock, self.settings.closing_timeout)

    def _failed(self, failure: Failure, request: Request) -> None:
        if getattr(request, "channel", None) is None:
            if not failure.check(CancelledError):
                self._log.failure("a dispatcher failed, after its client had left", failure)
            return
        if failure.check(CancelledError):
            self._refuse(request, _GOING_AWAY)
            return
        self._log.failure("a dispatcher failed for {uri}", failure, uri=request.uri)
        if request.startedWriting:
            request.loseConnection()  # it has answered by itself, and cannot have the connection as well
            return
        self.tally.refused[500, "error"] += 1
        self._answer(request, 500, "internal error\n", ())


def is_attempt(headers: Headers) -> bool:
    """Tell whether a request tries to open a WebSocket, rightly or not, by its header fields."""
    return wire_is_attempt(_as_text(headers))


def offered_subprotocols(request: Request) -> tuple[str, ...]:
    """Return the subprotocols that a client offers, in its order of preference; for dispatchers."""
    return subprotocols(_opening_request(request, _fields(request), Settings()))


def select_subprotocol(request: Request, supported: Iterable[str]) -> str | None:
    """Return the first of the supported subprotocols, best first, that a client offers; for dispatchers."""
    offered = offered_subprotocols(request)
    return next((name for name in supported if name in offered), None)


def _opening_request(request: Request, fields: dict[str, list[str]], settings: Settings) -> OpeningRequest:
    return OpeningRequest(
        method=request.method.decode("latin-1"),
        target=request.uri.decode("latin-1"),
        fields=fields,
        http_version=request.clientproto.decode("latin-1"),
        secure=bool(request.isSecure()),
        trusted=comes_from_trusted_proxy(request, settings),
    )


def _told_address(request: Request) -> IAddress | None:
    """Return the client's address, if it is not that of the connection, which the stream knows."""
    address: IAddress = request.getClientAddress()
    return None if address == request.channel.getPeer() else address


def _client(request: Request) -> str | None:
    host: str | None = getattr(request.getClientAddress(), "host", None)
    return host


def _counted_as(request: Request, settings: Settings) -> str | None:
    """Return what the limit by address counts a client by, if there is one."""
    return client_name(_client(request)) if settings.max_connections_per_address else None


def _fields(request: Request) -> dict[str, list[str]]:
    if isinstance(request, HeadRequest) and request.is_untouched:
        return request.fields()
    return _as_text(request.requestHeaders)


def _as_text(headers: Headers) -> dict[str, list[str]]:
    return {
        name.decode("latin-1").lower(): [value.decode("latin-1") for value in values]
        for name, values in headers.getAllRawHeaders()
    }


def _application_fields(request: Request) -> Iterable[tuple[str, str]]:
    """Return what a dispatcher or a parent resource has set for the answer: header fields and cookies."""
    if isinstance(request, HeadRequest) and request.is_untouched:
        return
    for name, values in request.responseHeaders.getAllRawHeaders():
        lower = name.lower()
        if lower not in NOT_FOR_AN_UPGRADE and not lower.startswith(b"sec-websocket-"):
            for value in values:
                yield name.decode("latin-1"), value.decode("latin-1")
    for cookie in request.cookies:
        yield "Set-Cookie", cookie.decode("latin-1")


def _global_reactor() -> Any:
    from twisted.internet import reactor

    return reactor
