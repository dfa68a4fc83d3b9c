"""The servers that are compared, and how they are installed, started and stopped."""

from __future__ import annotations

import os
import resource
import shlex
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from benchmarks.dialects import Failed

__all__ = ["BOTH", "CHECKOUT", "PEERS", "SERVERS", "Entry", "Server", "prepare", "serving", "set_up"]

CHECKOUT = Path(__file__).resolve().parent.parent
PEERS = CHECKOUT / ".venv-peers"
"""Where the virtual environment with the others is by default."""

PACKAGES = (
    "twisted[tls,websocket]",
    "autobahn",
    "txws",
    "six",
    "websockets",
    "aiohttp",
    "tornado",
    "picows",
    "uvloop",
    "python-socketio",
    "uvicorn[standard]",
)
RFC6455, HIXIE76 = ("rfc6455",), ("hixie76",)
BOTH = RFC6455 + HIXIE76
PATIENCE = 15.0  # seconds for a server to start


@dataclass(frozen=True)
class Entry:
    """A server: the command that starts it, and what it speaks.

    In the command ``{python}`` is the Python that runs the comparison, ``{peers}`` the one of the others,
    ``{port}`` the port to listen on, and ``{mode}`` echo or broadcast.
    """

    command: str
    protocols: tuple[str, ...] = BOTH


SERVERS = {
    "hunchensocket": Entry("{python} -m benchmarks.servers.ours {port} {mode} factory"),
    "hunchensocket-site": Entry("{python} -m benchmarks.servers.ours {port} {mode} site"),
    "autobahn": Entry("{peers} -m benchmarks.servers.autobahn {port} {mode}", RFC6455),
    "twisted.web": Entry("{peers} -m benchmarks.servers.twisted_web {port} {mode}", RFC6455),
    "txws": Entry("{peers} -m benchmarks.servers.txws {port} {mode}", HIXIE76),
    "websockets": Entry("{peers} -m benchmarks.servers.websockets {port} {mode}", RFC6455),
    "websockets+uvloop": Entry("{peers} -m benchmarks.servers.websockets {port} {mode} uvloop", RFC6455),
    "tornado": Entry("{peers} -m benchmarks.servers.tornado {port} {mode}", RFC6455),
    "aiohttp+uvloop": Entry("{peers} -m benchmarks.servers.aiohttp {port} {mode}", RFC6455),
    "picows+uvloop": Entry("{peers} -m benchmarks.servers.picows {port} {mode}", RFC6455),
}


def python_of(folder: Path) -> str:
    """Return the Python of a virtual environment."""
    return str(folder / "bin" / "python")


def set_up(folder: Path) -> None:
    """Make the virtual environment with the others."""
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    subprocess.run([python_of(folder), "-m", "pip", "install", "--upgrade", *PACKAGES], check=True)


def free_port() -> int:
    """Return a port of 127.0.0.1 that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


@dataclass(frozen=True)
class Server:
    """A server that runs."""

    port: int
    pid: int


@contextmanager
def serving(entry: Entry, mode: str, peers: Path, core: int | None = None) -> Iterator[Server]:
    """Let a server run for the time of a with statement.

    :param mode: echo or broadcast.
    :param peers: the virtual environment of the others.
    :param core: the one core that it may use, or None for all.
    :raises Failed: if it does not start; the last of what it said is in the message.
    """
    port = free_port()
    names = {"python": sys.executable, "peers": python_of(peers), "port": str(port), "mode": mode}
    command = [word.format(**names) for word in shlex.split(entry.command)]
    with TemporaryFile() as output:
        try:
            process = subprocess.Popen(
                command, cwd=CHECKOUT, stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )
        except OSError as error:
            raise Failed(f"it does not start: {error} (--setup installs the others)") from error
        try:
            prepare(process.pid, core)
            server = Server(port, process.pid)
            if not listens(server, process):
                output.seek(0)
                raise Failed(f"it does not start: {output.read().decode(errors='replace').strip()[-300:]}")
            yield server
        finally:
            end(process)


def prepare(pid: int, core: int | None) -> None:
    """Let a process have as many connections as the system admits, and one core if one is named."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (hard, hard))
    if core is not None:
        os.sched_setaffinity(pid, {core})


def listens(server: Server, process: subprocess.Popen[bytes]) -> bool:
    """Wait until a server listens; return whether it does."""
    until = time.monotonic() + PATIENCE
    while process.poll() is None and time.monotonic() < until:
        try:
            socket.create_connection(("127.0.0.1", server.port), 1).close()
        except OSError:
            time.sleep(0.02)
        else:
            return True
    return False


def end(process: subprocess.Popen[Any]) -> None:
    """End a process, if need be by force."""
    process.terminate()
    try:
        process.wait(3)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
