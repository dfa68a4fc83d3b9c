"""TLS: certificates of ours, of clients, and their renewal."""

from __future__ import annotations

from collections.abc import Iterator

from twisted.python import usage

from hunchensocket_tx.server_tls import ServerTLS
from hunchensocket_tx.service.group import OptionGroup

__all__ = ["TLSOptions"]


class TLSOptions(OptionGroup):
    """Options for ``--ssl-port``.

    :ivar tls: what they ask for; None without a port for it.
    """

    optParameters = [  # noqa: N815
        ["ssl-port", None, None, "TCP port to listen on with TLS; needs --certificate"],
        ["private-key-passphrase", None, None, "File with the passphrases of encrypted keys, one a line"],
        ["client-ca", None, None, "PEM file with the authorities that sign certificates of clients"],
        [
            "client-certificates",
            None,
            None,
            "Whether clients have to have one, with --client-ca: required or optional [default: required]",
        ],
        ["tls-version", None, None, "Oldest version of TLS to speak: 1.2 or 1.3 [default: 1.2]"],
    ]

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self["certificate"] = []
        self["private-key"] = []
        self.tls: ServerTLS | None = None

    def opt_certificate(self, file: str) -> None:
        """PEM file with the certificate for --ssl-port, and its chain behind it; one for each host name."""
        self["certificate"].append(file)

    opt_c = opt_certificate

    def opt_private_key(self, file: str) -> None:
        """PEM file with its key, if that is not in the certificate's file; one for each, in their order."""
        self["private-key"].append(file)

    opt_k = opt_private_key

    def check(self) -> None:
        """Read the certificates."""
        super().check()
        if self.port_number("ssl-port") is None:
            for option in ("certificate", "private-key", *(str(row[0]) for row in TLSOptions.optParameters)):
                if self[option]:
                    raise usage.UsageError(f"--{option}: it is for TLS; name a port with --ssl-port, too")
            return
        if not self["certificate"]:
            raise usage.UsageError("--ssl-port: TLS needs a certificate; name its file with --certificate")
        if self["client-certificates"] is not None and self["client-ca"] is None:
            raise usage.UsageError("--client-certificates: name those who sign them with --client-ca, too")
        first, *others = self._pairs()
        self.tls = self.named(
            lambda: ServerTLS(
                *first,
                other_certificates=others,
                private_key_passphrase=self["private-key-passphrase"],
                client_ca=self["client-ca"],
                client_certificates=self["client-certificates"] or "required",
                tls_version=self["tls-version"] or "1.2",
            )
        )

    def _pairs(self) -> Iterator[tuple[str, str | None]]:
        certificates, keys = self["certificate"], self["private-key"]
        if keys and len(keys) != len(certificates):
            raise usage.UsageError(
                f"--private-key: there are {len(certificates)} certificates and {len(keys)} keys; name the file "
                "with the key of each, in their order, or none if each is in its certificate's file"
            )
        return zip(certificates, keys or [None] * len(certificates), strict=True)
