"""TLS, from PEM files to what Twisted's endpoints want."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cryptography import x509
from OpenSSL import SSL, crypto
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from twisted.internet.ssl import Certificate, CertificateOptions, optionsForClientTLS, trustRootFromCertificates

from hunchensocket_tx.errors import InvalidSetting
from hunchensocket_tx.server_names import NameVerifier

__all__ = ["ClientTLS", "Path", "read_certificates", "read_file", "server_options"]

Path = str | os.PathLike[str]


@dataclass(frozen=True)
class ClientTLS:
    """How a client trusts servers, and proves who it is.

    :ivar trust_roots: a PEM file with the certificates to trust, an authority's or the server's own, in place of
        the system's.
    :ivar certificate: a PEM file with our certificate, and its chain behind it, for servers that want one.
    :ivar private_key: a PEM file with its key, without a passphrase; by default it is in the same file.
    :ivar server_name: the name that the server's certificate has to be for, if it is not that in the URL.
    """

    trust_roots: Path | None = None
    certificate: Path | None = None
    private_key: Path | None = None
    server_name: str | None = None

    def creator(self, host: str) -> IOpenSSLClientConnectionCreator:
        """Return what makes TLS connections to a host, 1.2 and newer, and verifies that they lead there.

        HTTP/1.1 is asked for, as a server might choose HTTP/2 otherwise, which knows no upgrade.

        :raises InvalidSetting: naming the file, and what is wrong with it.
        """
        roots = None
        if self.trust_roots is not None:
            chain = read_certificates("trust_roots", self.trust_roots)
            roots = trustRootFromCertificates([Certificate(one) for one in chain])
        if self.certificate is None and self.private_key is not None:
            raise InvalidSetting("private_key: name the certificate that belongs to it, too")
        own = {} if self.certificate is None else _key_and_chain(self.certificate, self.private_key)
        name = self.server_name or host
        creator: IOpenSSLClientConnectionCreator = optionsForClientTLS(
            name, roots, acceptableProtocols=[b"http/1.1"], extraCertificateOptions=own
        )
        return NameVerifier(creator, name, any_root=self.trust_roots is not None)


def server_options(
    certificate: Path, private_key: Path | None = None, passphrases: Sequence[bytes] = (), **options: Any
) -> CertificateOptions:
    """Read a certificate and its key, check that they belong together, and return TLS options (1.2 and newer).

    :param certificate: a PEM file with the certificate, and behind it the chain up to the authority's, if any.
    :param private_key: a PEM file with the key; by default it is in the same file.
    :param passphrases: to be tried, one after the other, if the key is encrypted.
    :param options: others of ``CertificateOptions``.
    :raises InvalidSetting: naming the file, and what is wrong with it.
    """
    return CertificateOptions(**_key_and_chain(certificate, private_key, passphrases), **options)


def read_certificates(setting: str, path: Path) -> list[crypto.X509]:
    """Return the certificates in a PEM file, of which there is at least one.

    :param setting: what names the file, for messages.
    :raises InvalidSetting: naming the file, and what is wrong with it.
    """
    contents = read_file(setting, path)
    try:
        chain = x509.load_pem_x509_certificates(contents)
    except ValueError as error:
        raise InvalidSetting(f"{setting}: there is no PEM certificate in {path}: {error}") from error
    return [crypto.X509.from_cryptography(one) for one in chain]


def read_file(setting: str, path: Path) -> bytes:
    """Return what is in a file; see :func:`read_certificates`."""
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise InvalidSetting(f"{setting}: {path} cannot be read: {error.strerror}") from error


def _key_and_chain(
    certificate: Path, private_key: Path | None, passphrases: Sequence[bytes] = ()
) -> dict[str, Any]:
    """Return a certificate's files as parameters of ``CertificateOptions``."""
    own, *others = read_certificates("certificate", certificate)
    key_file = certificate if private_key is None else private_key
    key = _private_key(key_file, passphrases)
    parameters: dict[str, Any] = {"privateKey": key, "certificate": own, "extraCertChain": others}
    try:
        CertificateOptions(**parameters).getContext().check_privatekey()
    except SSL.Error as error:
        raise InvalidSetting(f"private_key: {key_file} is not the key of the certificate {certificate}") from error
    return parameters


def _private_key(path: Path, passphrases: Sequence[bytes]) -> crypto.PKey:
    contents = read_file("private_key", path)
    for passphrase in (b"", *passphrases):
        try:
            return crypto.load_privatekey(crypto.FILETYPE_PEM, contents, passphrase)
        except (crypto.Error, ValueError, TypeError):
            continue
    known = "that one of the passphrases opens" if passphrases else "(without passphrase)"
    raise InvalidSetting(f"private_key: there is no PEM private key {known} in {path}")
