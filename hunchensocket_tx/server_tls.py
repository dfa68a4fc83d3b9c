"""A server's TLS: certificates of several names, certificates of clients, renewal while it runs."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal

from cryptography import x509
from OpenSSL import SSL, crypto
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator, ISSLTransport
from twisted.internet.ssl import TLSVersion
from twisted.logger import Logger
from twisted.web.http import Request
from zope.interface import implementer

from hunchensocket_tx.errors import InvalidSetting
from hunchensocket_tx.tls import Path, read_certificates, read_file, server_options
from hunchensocket_tx.wire.headers import shown

__all__ = ["ServerTLS", "client_certificate", "peer_certificate"]

OLDEST = {"1.2": TLSVersion.TLSv1_2, "1.3": TLSVersion.TLSv1_3}

PROTOCOL = b"http/1.1"
"""What WebSockets are asked for in, here."""

VERIFICATION_ERRORS = {
    code: name.removeprefix("ERR_").replace("_", " ").lower()
    for name, code in vars(SSL.X509VerificationCodes).items()
    if name.startswith("ERR_")
}


@implementer(IOpenSSLServerConnectionCreator)
class ServerTLS:
    """How a server proves who it is, and whether its clients have to: for ``wrapServerTLS`` or ``listenSSL``.

    The files are read again when one of them has changed, as new connections find out, and by :meth:`reload`.
    If they will not do then, the former certificates stay.

    :param certificate: a PEM file with the certificate, and its chain behind it.
    :param private_key: a PEM file with its key; by default it is in the same file.
    :param other_certificates: more of such pairs, for other names. Who asks for a name (SNI, RFC 6066 section 3)
        gets the first certificate that is for it; who asks for none, or for another, the first of all.
    :param private_key_passphrase: a file with the passphrases of encrypted keys, one a line.
    :param client_ca: a PEM file with the authorities, or their intermediates, that sign for clients.
    :param client_certificates: whether clients without a certificate are let in: ``"required"`` if not,
        ``"optional"`` if so. One that is not signed by those authorities, or expired, is refused either way.
    :param tls_version: the oldest to speak, ``"1.2"`` or ``"1.3"``.
    :param check_interval: seconds for which the files are not looked at again.
    :param seconds: tells the time.
    :raises InvalidSetting: naming the file, and what is wrong with it.
    """

    _log = Logger()

    def __init__(
        self,
        certificate: Path,
        private_key: Path | None = None,
        *,
        other_certificates: Iterable[tuple[Path, Path | None]] = (),
        private_key_passphrase: Path | None = None,
        client_ca: Path | None = None,
        client_certificates: Literal["required", "optional"] = "required",
        tls_version: Literal["1.2", "1.3"] = "1.2",
        check_interval: float = 1,
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        if tls_version not in OLDEST:
            raise InvalidSetting(f"tls_version: give 1.2 or 1.3, the oldest to speak, not {tls_version!r}")
        if client_certificates not in ("required", "optional"):
            raise InvalidSetting(f"client_certificates: give required or optional, not {client_certificates!r}")
        self._pairs = [(certificate, private_key), *other_certificates]
        self._passphrase_file = private_key_passphrase
        self._client_ca = client_ca
        self._verify = SSL.VERIFY_PEER
        if client_certificates == "required":
            self._verify |= SSL.VERIFY_FAIL_IF_NO_PEER_CERT
        self._oldest = OLDEST[tls_version]
        self._check_interval = check_interval
        self._seconds = seconds
        self._next_check = seconds()
        self._seen = self._states()
        self._context = self._load()

    def serverConnectionForTLS(self, protocol: Any) -> SSL.Connection:
        """Return the TLS side of a new connection (IOpenSSLServerConnectionCreator)."""
        now = self._seconds()
        if now >= self._next_check:
            self._next_check = now + self._check_interval
            if self._states() != self._seen:
                self.reload()
        return _Connection(self._context)

    def reload(self) -> None:
        """Read the files again, for the connections to come; if they will not do, say so in the log."""
        self._seen = self._states()
        try:
            self._context = self._load()
        except InvalidSetting as error:
            self._log.error("TLS goes on with its former certificates: {error}", error=error)
        else:
            self._log.info("TLS has read its certificates again")

    def _states(self) -> list[tuple[int, int, int] | None]:
        """Return what changes when a file does, of each."""
        files = [*(file for pair in self._pairs for file in pair), self._passphrase_file, self._client_ca]
        return [_state(file) for file in files if file is not None]

    def _load(self) -> SSL.Context:
        """Return a context that chooses among those of all certificates."""
        passphrases = _passphrases(self._passphrase_file)
        authorities = [] if self._client_ca is None else read_certificates("client_ca", self._client_ca)
        by_name: dict[bytes, SSL.Context] = {}

        def choose(name: bytes | None) -> SSL.Context | None:
            name = (name or b"").lower()
            return by_name.get(name) or by_name.get(b"*." + name.partition(b".")[2])

        contexts = []
        for certificate, key in self._pairs:
            options = server_options(
                certificate, key, passphrases, raiseMinimumTo=self._oldest, contextForServerName=choose
            )
            context = options.getContext()
            context.set_alpn_select_callback(_select_protocol)
            if authorities:
                _ask_for_certificates(context, self._verify, authorities)
            assert options.certificate is not None  # it has just been read
            for name in _names(certificate, options.certificate.to_cryptography()):
                by_name.setdefault(name, context)
            contexts.append(context)
        return contexts[0]


class _Connection(SSL.Connection):
    """A connection that says in the log why its handshake failed."""

    _log = Logger()

    def __init__(self, context: SSL.Context) -> None:
        super().__init__(context, None)
        self.refusal = ""
        self.first_context = context  # whose callback may be running when it makes way for another

    def do_handshake(self) -> None:
        """Go on with the handshake, as far as possible."""
        try:
            super().do_handshake()
        except (SSL.WantReadError, SSL.WantWriteError):
            raise
        except SSL.Error as error:
            protocol: Any = self.get_app_data()
            why = self.refusal or _reason(error)
            self._log.info("TLS with {peer} failed: {why}", peer=protocol.transport.getPeer(), why=why)
            raise


def client_certificate(request: Request) -> x509.Certificate | None:
    """Return the certificate that the client of a request has shown; its authority was found to be one of ours.

    ``client_certificate(request).subject.rfc4514_string()`` is who it is.

    :returns: None if it has shown none, as it was not asked for one, or had the choice; or if it is gone.
    """
    channel: Any = request.channel
    if hasattr(channel, "peer_certificate"):
        certificate: x509.Certificate | None = channel.peer_certificate
        return certificate
    return peer_certificate(getattr(channel, "transport", None))


def peer_certificate(transport: Any) -> x509.Certificate | None:
    """Return the certificate that the other end of a transport has shown; None without, or if it is gone."""
    if not ISSLTransport.providedBy(transport):
        return None
    tls: Any = transport
    connection: SSL.Connection | None = tls.getHandle()
    return None if connection is None else connection.get_peer_certificate(as_cryptography=True)


def _state(file: Path) -> tuple[int, int, int] | None:
    try:
        status = os.stat(file)
    except OSError:
        return None  # whoever reads it is told why
    return status.st_mtime_ns, status.st_ino, status.st_size


def _passphrases(file: Path | None) -> list[bytes]:
    if file is None:
        return []
    lines = [line for line in read_file("private_key_passphrase", file).splitlines() if line]
    if not lines:
        raise InvalidSetting(f"private_key_passphrase: there is none in {file}; write one in a line")
    return lines


def _ask_for_certificates(context: SSL.Context, verify: int, authorities: Sequence[crypto.X509]) -> None:
    """Have clients show a certificate of one of some authorities; these need not be roots."""
    store = context.get_cert_store()
    assert store is not None  # as each context has one
    store.set_flags(crypto.X509StoreFlags.PARTIAL_CHAIN)
    for authority in authorities:
        store.add_cert(authority)
    context.set_client_ca_list([authority.get_subject() for authority in authorities])
    context.set_verify(verify, _note_refusal)


def _note_refusal(connection: Any, certificate: crypto.X509, code: int, depth: int, good: int) -> bool:
    """Keep why a client's certificate is refused, which the error does not tell."""
    if not good:
        subject = shown(certificate.to_cryptography().subject.rfc4514_string())
        connection.refusal = f"certificate {subject}: {VERIFICATION_ERRORS.get(code, code)}"
    return bool(good)


def _select_protocol(connection: object, offered: Sequence[bytes]) -> bytes:
    """Agree on HTTP/1.1, or on nothing (RFC 7301 section 3.2)."""
    if PROTOCOL not in offered:
        raise SSL.Error([("", "", f"the client speaks {b', '.join(offered)!r} only, not HTTP/1.1")])
    return PROTOCOL


def _names(file: Path, certificate: x509.Certificate) -> list[bytes]:
    """Return the DNS names that a certificate is for, in lower case; some have ``*`` for their first label."""
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        names: list[Any] = extension.value.get_values_for_type(x509.DNSName)
    except x509.ExtensionNotFound:
        names = [one.value for one in certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)]
    except ValueError as error:
        raise InvalidSetting(f"certificate: the names in {file} cannot be read: {error}") from error
    return [str(name).lower().encode() for name in names]


def _reason(error: SSL.Error) -> str:
    """Return OpenSSL's own words."""
    errors = error.args[0] if error.args else None
    if isinstance(errors, list):
        return "; ".join(reason for _, _, reason in errors)
    return str(error) or type(error).__name__
