"""connect(): a WebSocket to a server, in any version that our own server speaks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from http.cookiejar import CookieJar
from typing import Any
from weakref import WeakValueDictionary

from twisted.internet.defer import CancelledError, Deferred, DeferredLock
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator, IStreamClientEndpoint
from twisted.internet.protocol import Factory

from hunchensocket_tx.cascade import HandshakeHandler, Headers, as_fields, run_cascade
from hunchensocket_tx.cookies import cookie_field, keep_cookies
from hunchensocket_tx.errors import ConnectionClosed, HandshakeFailed, HandshakeRefused, InvalidSetting, InvalidURL
from hunchensocket_tx.opener import Opener
from hunchensocket_tx.proxies import Proxy, proxy_from_environment
from hunchensocket_tx.reaching import endpoint_to, explain
from hunchensocket_tx.settings import Settings
from hunchensocket_tx.stream import WebSocketStream
from hunchensocket_tx.timers import Timers
from hunchensocket_tx.tls import ClientTLS
from hunchensocket_tx.turns import Turn
from hunchensocket_tx.urls import WebSocketURL
from hunchensocket_tx.version import __version__
from hunchensocket_tx.wire.deflate_offer import DeflateOffer, usual_offers
from hunchensocket_tx.wire.hixie_client import HixieClientHandshake
from hunchensocket_tx.wire.hybi_client import HybiClientHandshake
from hunchensocket_tx.wire.hybi_handshake import HYBI_VERSIONS
from hunchensocket_tx.wire.opening import ClientHandshake, HeaderFields

__all__ = ["Connecting", "connect"]

REDIRECTS = (301, 302, 303, 307, 308)

_turns: WeakValueDictionary[tuple[Any, ...], Turn] = WeakValueDictionary()
"""Who is connecting to a server, by reactor, host and port: the next one's turn comes when that one is done."""


class Connecting(Deferred[WebSocketStream]):
    """What :func:`connect` returns: a Deferred of the stream, or a context in which it is open.

    ::

        async with connect("ws://localhost:8080/") as stream:
            stream.send("hello")
            print(await stream.receive())

    At its end the WebSocket is closed: with 1000, or with 1011 after an exception.
    """

    _stream: WebSocketStream

    async def __aenter__(self) -> WebSocketStream:
        self._stream = await self
        return self._stream

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        failed = kind is not None and not issubclass(kind, (ConnectionClosed, GeneratorExit))
        self._stream.inbox.discard()
        self._stream.close(1011 if failed else 1000)
        if kind is not GeneratorExit:
            await self._stream.when_closed()


def connect(
    url: str,
    handler: HandshakeHandler | None = None,
    *,
    version: int = 13,
    subprotocols: Sequence[str] = (),
    headers: Headers = (),
    origin: str | None = None,
    cookies: CookieJar | None = None,
    offers: Sequence[DeflateOffer] | None = None,
    pieces: bool = False,
    tls: ClientTLS | IOpenSSLClientConnectionCreator | None = None,
    proxy: Proxy | str | None = "environment",
    endpoint: IStreamClientEndpoint | None = None,
    max_redirects: int = 0,
    in_turn: bool = True,
    settings: Settings | None = None,
    reactor: Any = None,
    **changes: Any,
) -> Connecting:
    """Open a WebSocket to a server (RFC 6455 section 4.1; hybi-00 section 4.1).

    :param url: ``ws://``, ``wss://``, or ``ws+unix:///run/ws.sock:/path``; a user name and password in it are sent
        as Basic authentication.
    :param handler: a handshake handler, as a server's dispatcher returns: it gets stream and mutex, and returns
        the message handler; a :func:`conversation` is one, too. If it raises, the WebSocket is closed with 1011.
        Without one, ask the stream for its messages (``async for``, ``receive``).
    :param version: of the protocol: 13, 8, 7, or 76 for servers that speak hixie-76 only.
    :param subprotocols: to offer, best first; hixie-76 can ask for one.
    :param headers: more fields for the request, a mapping or pairs.
    :param origin: the page to claim to come from; hixie-76 has to claim one: by default, the server's own.
    :param cookies: a jar, whose cookies are sent, and which gets those that the server sets.
    :param offers: of permessage-deflate, best first; by default as the settings on compression say.
    :param pieces: whether the message handler gets each message as an :class:`IncomingMessage`, at its start.
    :param tls: for ``wss``: whom to trust (of ``https`` proxies, too), and who we are; or what Twisted's
        ``optionsForClientTLS`` returns, which then is what verifies the server's name.
    :param proxy: its URL (``http``, ``https``, ``socks5``), or None; by default the environment names it, or none.
    :param endpoint: how to reach the server, below TLS, if not by the URL's host and port.
    :param max_redirects: how many redirections to follow; never from ``wss`` to ``ws``. To another origin neither
        credentials go along, nor headers, nor the client's certificate.
    :param in_turn: whether to wait while another handshake with the same host and port goes on, as the RFC has it;
        no timer counts that.
    :param settings: limits and timers; the defaults are safe.
    :param reactor: the global one by default.
    :param changes: single settings, as ``connect_timeout=3``.
    :returns: a Deferred of the stream, once it is open. Cancelling it gives up. It fails with a
        :class:`CannotConnect` or a :class:`HandshakeFailed`, of which there are several kinds, each with what to
        do about it in its text; with an :class:`InvalidURL`, :class:`InvalidSetting` or ValueError if
        nothing was tried.
    """
    if reactor is None:
        from twisted.internet import reactor

    def give_up(_: object) -> None:
        client.given_up = True
        opening.cancel()

    connecting = Connecting(give_up)
    client = _Client(
        handler=handler,
        version=version,
        subprotocols=subprotocols,
        headers=headers,
        origin=origin,
        cookies=cookies,
        offers=offers,
        pieces=pieces,
        tls=tls,
        proxy=proxy,
        endpoint=endpoint,
        max_redirects=max_redirects,
        in_turn=in_turn,
        settings=settings or Settings(),
        reactor=reactor,
    )
    opening = Deferred.fromCoroutine(client.open(url, changes))
    opening.addCallbacks(connecting.callback, connecting.errback)
    return connecting


@lru_cache(maxsize=4)
def _timers(reactor: Any) -> Any:
    return Timers(reactor)


@dataclass
class _Client:
    """One attempt at opening a WebSocket; see :func:`connect`."""

    handler: HandshakeHandler | None
    version: int
    subprotocols: Sequence[str]
    headers: Headers
    origin: str | None
    cookies: CookieJar | None
    offers: Sequence[DeflateOffer] | None
    pieces: bool
    tls: ClientTLS | IOpenSSLClientConnectionCreator | None
    proxy: Proxy | str | None
    endpoint: IStreamClientEndpoint | None
    max_redirects: int
    in_turn: bool
    settings: Settings
    reactor: Any
    given_up: bool = False

    async def open(self, text: str, changes: dict[str, Any]) -> WebSocketStream:
        """Open it, past redirections."""
        self.settings = replace(self.settings, **changes)
        url = WebSocketURL.parse(text)
        fields = as_fields(self.headers)
        while True:
            try:
                return await self._attempt_in_turn(url, fields)
            except HandshakeRefused as refusal:
                if self.max_redirects < 1 or refusal.status not in REDIRECTS:
                    raise
                self.max_redirects -= 1
                url, fields = self._redirect(url, fields, refusal)

    def _redirect(
        self, url: WebSocketURL, fields: HeaderFields, refusal: HandshakeRefused
    ) -> tuple[WebSocketURL, HeaderFields]:
        """Return where to go instead, and what to send there."""
        locations = refusal.headers.get("location", ())
        if len(locations) != 1:
            raise HandshakeFailed(f"the server redirects with {len(locations)} locations, not one") from refusal
        try:
            target = url.redirected(locations[0])
        except InvalidURL as error:
            raise HandshakeFailed(f"the server redirects to no place for a WebSocket: {error}") from refusal
        if url.secure and not target.secure:
            raise HandshakeFailed(f"the server redirects to {target}, which is not TLS: not followed") from refusal
        if target.origin == url.origin:
            return replace(target, credentials=url.credentials), fields
        if self.endpoint is not None or url.unix_path is not None:
            raise HandshakeFailed(f"the server redirects to {target}, where this way does not lead") from refusal
        if isinstance(self.tls, ClientTLS):
            self.tls = ClientTLS(self.tls.trust_roots)
        elif self.tls is not None:
            raise HandshakeFailed(f"the server redirects to {target}, which this 'tls' is not for") from refusal
        return replace(target, credentials=None), ()

    async def _attempt_in_turn(self, url: WebSocketURL, fields: HeaderFields) -> WebSocketStream:
        if not self.in_turn:
            return await self._attempt(url, fields)
        turn = _turns.setdefault((self.reactor, url.unix_path or url.host, url.port), Turn())
        async with turn:
            return await self._attempt(url, fields)

    async def _attempt(self, url: WebSocketURL, fields: HeaderFields) -> WebSocketStream:
        """Open it there, or fail with the reason in plain words."""
        timeout = self.settings.connect_timeout
        clock = _timers(self.reactor)
        opener = Opener(
            self._handshake(url, fields),
            self.settings,
            clock,
            secure=url.secure,
            deadline=clock.seconds() + timeout,
            attach=self._attach,
        )
        connected = self._endpoint(url).connect(_One(opener))
        try:
            await connected.addTimeout(timeout, self.reactor)
            stream = await opener.opened
        except Exception as error:
            if self.given_up:  # what that looks like where the name is looked up, for one, is misleading
                raise CancelledError() from error
            if self.cookies is not None and isinstance(error, HandshakeRefused):
                keep_cookies(self.cookies, url, error.headers)
            explained = explain(error, url, timeout)
            if explained is None or explained is error:
                raise
            raise explained from error
        if self.cookies is not None and stream.answer is not None:
            keep_cookies(self.cookies, url, stream.answer.fields)
        return stream

    def _endpoint(self, url: WebSocketURL) -> IStreamClientEndpoint:
        proxy = self.proxy
        if self.endpoint is not None or url.unix_path is not None:
            proxy = None
        elif proxy == "environment":
            proxy = proxy_from_environment("wss" if url.secure else "ws", url.host, url.port)
        elif isinstance(proxy, str):
            proxy = Proxy.parse(proxy)
        tls = self.tls or ClientTLS()
        creator = proxy_creator = None
        if url.secure:
            creator = tls.creator(url.host) if isinstance(tls, ClientTLS) else tls
        if proxy is not None and isinstance(tls, ClientTLS) and tls.trust_roots is not None:
            proxy_creator = ClientTLS(tls.trust_roots).creator(proxy.host)
        return endpoint_to(
            self.reactor,
            url,
            endpoint=self.endpoint,
            proxy=proxy,
            tls=creator,
            proxy_tls=proxy_creator,
            timeout=self.settings.connect_timeout,
        )

    def _handshake(self, url: WebSocketURL, fields: HeaderFields) -> ClientHandshake:
        if isinstance(self.subprotocols, str):
            raise InvalidSetting(f"subprotocols: give a list, [{self.subprotocols!r}], not a str")
        own = list(fields)
        names = {name.lower() for name, _ in fields}
        if url.authorization is not None and "authorization" not in names:
            own.append(("Authorization", url.authorization))
        if "user-agent" not in names:
            own.append(("User-Agent", f"hunchensocket_tx/{__version__}"))
        if self.cookies is not None and (cookies := cookie_field(self.cookies, url)):
            # RFC 6265 section 5.4 allows one such field.
            given = [value for name, value in own if name.lower() == "cookie"]
            own = [field for field in own if field[0].lower() != "cookie"]
            own.append(("Cookie", "; ".join([*given, cookies])))
        if self.version == 76:
            if len(self.subprotocols) > 1:
                raise InvalidSetting("subprotocols: hixie-76 can ask for one only")
            return HixieClientHandshake(
                url.host_field,
                url.target,
                self.settings,
                secure=url.secure,
                origin=self.origin or url.origin,
                subprotocol=self.subprotocols[0] if self.subprotocols else None,
                headers=own,
                pieces=self.pieces,
            )
        if self.version not in HYBI_VERSIONS:
            raise InvalidSetting(f"version: give 13, 8, 7 or 76, not {self.version!r}")
        return HybiClientHandshake(
            url.host_field,
            url.target,
            self.settings,
            version=self.version,
            origin=self.origin,
            subprotocols=self.subprotocols,
            offers=usual_offers(self.settings) if self.offers is None else self.offers,
            headers=own,
            pieces=self.pieces,
        )

    def _attach(self, stream: WebSocketStream, opened: Callable[[], None]) -> None:
        """Have the handler told when the stream is open, or keep its messages for who asks."""
        handler = self.handler
        if handler is None:
            stream.attach(opened, stream.into_inbox(), ahead=True)
            return

        def handshake(stream: WebSocketStream, mutex: DeferredLock) -> Any:
            try:
                return handler(stream, mutex)
            finally:
                opened()

        run_cascade(stream, handshake)


class _One(Factory):
    """Makes the one protocol."""

    noisy = False

    def __init__(self, opener: Opener) -> None:
        self._opener = opener

    def buildProtocol(self, address: object) -> Opener:
        return self._opener
