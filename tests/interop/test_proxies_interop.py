"""HTTP proxies and SOCKS5 servers of others: tinyproxy, squid, microsocks and dante."""

from __future__ import annotations

from typing import Any

from twisted.internet.ssl import Certificate, optionsForClientTLS

from tests.harness import Issued
from tests.interop import proxies
from tests.interop.proxies import need_daemon


class TinyproxyTests(proxies.Authenticating):
    """Debian's tinyproxy (package ``tinyproxy-bin``)."""

    def command(self, port: int, credentials: tuple[str, str] | None) -> list[str]:
        settings = [f"Port {port}", "Listen 127.0.0.1", "Allow 127.0.0.1", "Timeout 60", "MaxClients 10"]
        if credentials is not None:
            settings.append("BasicAuth {} {}".format(*credentials))
        return [need_daemon("tinyproxy"), "-d", "-c", self.write("tinyproxy.conf", *settings)]


USERS = "ada:$apr1$saltsalt$LrttParrLPdxvgutaSXWJ0"
"""The password is ``secret``, hashed as Apache's htpasswd does."""


class Squid(proxies.ProxyProgram):
    """Debian's squid."""

    ending = "KILL"  # it takes its time else; its helpers see its end

    def listening(self, port: int) -> str:
        """Return the line that says on what it listens."""
        return f"http_port 127.0.0.1:{port}"

    def command(self, port: int, credentials: tuple[str, str] | None) -> list[str]:
        squid = need_daemon("squid")
        settings = [
            self.listening(port),
            "visible_hostname localhost",
            "pid_filename none",
            "cache_log /dev/null",
            "access_log none",
            "cache deny all",
            "netdb_filename none",
            f"coredump_dir {self.folder}",
            "shutdown_lifetime 0 seconds",
        ]
        if credentials is None:
            settings.append("http_access allow all")
        else:
            helper = need_daemon("/usr/lib/squid/basic_ncsa_auth")
            settings += [
                f"auth_param basic program {helper} {self.write('users', USERS)}",
                "acl known proxy_auth REQUIRED",
                "http_access allow known",
                "http_access deny all",
            ]
        return [squid, "-N", "-d", "1", "-f", self.write("squid.conf", *settings)]


class SquidTests(Squid, proxies.Authenticating):
    """As an HTTP proxy."""


class SquidWithinTLSTests(Squid, proxies.Tunnelling):
    """As an HTTPS proxy: TLS to the server goes within TLS to the proxy."""

    scheme = "https"

    def listening(self, port: int) -> str:
        issued = Issued()
        trusted: Any = Certificate.loadPEM(issued.pem)
        self.tls = optionsForClientTLS("localhost", trustRoot=trusted)
        own = self.write("own.pem", issued.pem.decode(), issued.key_pem().decode())
        return f"https_port 127.0.0.1:{port} tls-cert={own}"


class MicrosocksTests(proxies.Authenticating):
    """Debian's microsocks."""

    scheme = "socks5"

    def command(self, port: int, credentials: tuple[str, str] | None) -> list[str]:
        options = [] if credentials is None else ["-u", credentials[0], "-P", credentials[1]]
        return [need_daemon("microsocks"), "-i", "127.0.0.1", "-p", str(port), *options]


class DanteTests(proxies.Tunnelling):
    """Debian's dante-server, without passwords: it knows those of the system's users only."""

    scheme = "socks5"

    def command(self, port: int, credentials: tuple[str, str] | None) -> list[str]:
        settings = [
            "logoutput: stderr",
            f"internal: 127.0.0.1 port = {port}",
            "external: 127.0.0.1",
            "clientmethod: none",
            "socksmethod: none",
            "client pass { from: 127.0.0.0/8 to: 127.0.0.0/8 }",
            *self.rules,
            "socks pass { from: 127.0.0.0/8 to: 0.0.0.0/0 }",
        ]
        return [need_daemon("danted"), "-f", self.write("danted.conf", *settings)]

    rules: tuple[str, ...] = ()

    async def test_what_its_rules_do_not_allow_is_told(self) -> None:
        forbidden = proxies.free_port()
        self.rules = (f"socks block {{ from: 127.0.0.0/8 to: 127.0.0.0/8 port = {forbidden} }}",)
        await self.assert_fails(await self.start(), forbidden, "its rules do not allow that")
