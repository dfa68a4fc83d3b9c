"""WebSockets for Twisted, from the first browsers that spoke them (hixie-76) to today's."""

from hunchensocket_tx.acceptor import EndpointAcceptor, WebSocketAcceptor, WebSocketSSLAcceptor
from hunchensocket_tx.adapters import conversation, protocol_handler
from hunchensocket_tx.broadcast import Group
from hunchensocket_tx.cascade import (
    Accept,
    Reject,
    carry,
    current_mutex,
    current_stream,
    default_websocket_handler,
    send_message,
    send_term,
    websocket_handlers,
)
from hunchensocket_tx.client import Connecting, connect
from hunchensocket_tx.endpoints import WebSocketClientEndpoint, WebSocketClientService, WebSocketServerEndpoint
from hunchensocket_tx.errors import (
    CannotConnect,
    CertificateRejected,
    ConnectionClosed,
    ConnectTimeout,
    HandshakeFailed,
    HandshakeRefused,
    HandshakeTimeout,
    HunchensocketError,
    InvalidCloseCode,
    InvalidSetting,
    InvalidURL,
    MisuseError,
    NameNotFound,
    NoCurrentStream,
    NotListening,
    NotUpgradable,
    PeerError,
    ProxyFailed,
    UnsupportedMessage,
    VersionRefused,
)
from hunchensocket_tx.factory import WebSocketFactory
from hunchensocket_tx.forward_tokens import ForwardTokens
from hunchensocket_tx.forwarding import forward
from hunchensocket_tx.incoming import IncomingMessage
from hunchensocket_tx.outgoing import OutgoingMessage
from hunchensocket_tx.proxies import Proxy
from hunchensocket_tx.resource import WebSocketResource, offered_subprotocols, select_subprotocol
from hunchensocket_tx.server_tls import ServerTLS, client_certificate
from hunchensocket_tx.settings import Settings
from hunchensocket_tx.stream import WebSocketStream
from hunchensocket_tx.tls import ClientTLS
from hunchensocket_tx.version import __version__
from hunchensocket_tx.wire.deflate_offer import DeflateOffer
from hunchensocket_tx.wire.events import CloseReason

__all__ = [
    "Accept",
    "CannotConnect",
    "CertificateRejected",
    "ClientTLS",
    "CloseReason",
    "ConnectTimeout",
    "Connecting",
    "ConnectionClosed",
    "DeflateOffer",
    "EndpointAcceptor",
    "ForwardTokens",
    "Group",
    "HandshakeFailed",
    "HandshakeRefused",
    "HandshakeTimeout",
    "HunchensocketError",
    "IncomingMessage",
    "InvalidCloseCode",
    "InvalidSetting",
    "InvalidURL",
    "MisuseError",
    "NameNotFound",
    "NoCurrentStream",
    "NotListening",
    "NotUpgradable",
    "OutgoingMessage",
    "PeerError",
    "Proxy",
    "ProxyFailed",
    "Reject",
    "ServerTLS",
    "Settings",
    "UnsupportedMessage",
    "VersionRefused",
    "WebSocketAcceptor",
    "WebSocketClientEndpoint",
    "WebSocketClientService",
    "WebSocketFactory",
    "WebSocketResource",
    "WebSocketSSLAcceptor",
    "WebSocketServerEndpoint",
    "WebSocketStream",
    "__version__",
    "carry",
    "client_certificate",
    "connect",
    "conversation",
    "current_mutex",
    "current_stream",
    "default_websocket_handler",
    "forward",
    "offered_subprotocols",
    "protocol_handler",
    "select_subprotocol",
    "send_message",
    "send_term",
    "websocket_handlers",
]
