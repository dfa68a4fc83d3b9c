"""TLS for servers, from PEM files to what Twisted's endpoints want."""

from __future__ import annotations

import os

from cryptography import x509
from OpenSSL import SSL, crypto
from twisted.internet.ssl import CertificateOptions

from hunchensocket_tx.errors import InvalidSetting

__all__ = ["server_options"]

Path = str | os.PathLike[str]


def server_options(certificate: Path, private_key: Path | None = None) -> CertificateOptions:
    """Read a certificate and its key, check that they belong together, and return TLS options (1.2 and newer).

    :param certificate: a PEM file with the certificate, and behind it the chain up to the authority's, if any.
    :param private_key: a PEM file with the key, without a passphrase; by default it is in the same file.
    :raises InvalidSetting: naming the file, and what is wrong with it.
    """
    certificates = _read("certificate", certificate)
    try:
        chain = x509.load_pem_x509_certificates(certificates)
    except ValueError as error:
        raise InvalidSetting(f"certificate: there is no PEM certificate in {certificate}: {error}") from error
    key_file = certificate if private_key is None else private_key
    keys = _read("private_key", key_file)
    try:
        key = crypto.load_privatekey(crypto.FILETYPE_PEM, keys, b"")
    except (crypto.Error, ValueError, TypeError) as error:
        raise InvalidSetting(
            f"private_key: there is no PEM private key (without passphrase) in {key_file}"
        ) from error
    own, *others = map(crypto.X509.from_cryptography, chain)
    options = CertificateOptions(privateKey=key, certificate=own, extraCertChain=others)
    try:
        context = options.getContext()
        context.check_privatekey()
    except SSL.Error as error:
        raise InvalidSetting(f"private_key: {key_file} is not the key of the certificate {certificate}") from error
    return options


def _read(name: str, path: Path) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise InvalidSetting(f"{name}: {path} cannot be read: {error.strerror}") from error
