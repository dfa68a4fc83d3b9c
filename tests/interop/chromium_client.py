"""Visits the built-in page, and some WebSockets beside it, with a headless Chromium.

Reads an object from stdin: ``chromium`` and ``chromedriver``, the programs, and ``plain`` and ``secure``, the
addresses of two sites. Prints an object with the results of the scenes below, by name;
``error`` is that of one that failed.
"""

from __future__ import annotations

import json
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from tempfile import TemporaryDirectory
from typing import Any

import selenium
from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

PATIENCE = 30.0
"""Seconds to wait for anything."""

FLAGS = (
    "--headless",
    "--no-sandbox",  # which root cannot have
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--ignore-certificate-errors",  # the certificate is signed by nobody
)

CONVERSE = """
const [url, protocols, messages, closeWith, done] = arguments;
const socket = new WebSocket(url, protocols), told = { received: [] };
socket.onopen = () => {
  told.extensions = socket.extensions;
  told.protocol = socket.protocol;
  messages.forEach((message) => socket.send(message));
};
socket.onmessage = (event) => {
  told.received.push(event.data);
  if (told.received.length === messages.length && closeWith) { socket.close(...closeWith); }
};
socket.onclose = ({ code, reason, wasClean }) => done({ ...told, code, reason, wasClean });
"""
"""Sends messages, closes when so many came back, and tells what the browser tells a page."""

ECHO_BINARY = """
const [url, size, done] = arguments;
const socket = new WebSocket(url), sent = new Uint8Array(size);
sent.forEach((_, i) => { sent[i] = i * i; });
socket.binaryType = "arraybuffer";
socket.onopen = () => socket.send(sent);
socket.onmessage = ({ data }) => {
  const received = new Uint8Array(data);
  socket.close();
  done({ size: received.length, same: received.every((byte, i) => byte === sent[i]) });
};
socket.onclose = ({ code, reason }) => done({ code, reason });
"""

STAY_OPEN = """
const [url, done] = arguments;
new WebSocket(url).onopen = () => done();
"""


class Visitor:
    """A browser's user, with an eye for the element ids of the page."""

    def __init__(self, browser: Chrome) -> None:
        self.browser = browser
        self._waiting = WebDriverWait(browser, PATIENCE, poll_frequency=0.05)

    def open_page(self, address: str) -> None:
        """Open the page and wait until it has connected by itself."""
        self.browser.get(address)
        self.wait(lambda: self.text("echo-state") == self.text("chat-state") == "open")

    def wait(self, condition: Callable[[], object]) -> None:
        """Wait until something is so."""
        self._waiting.until(lambda _: condition())

    def text(self, name: str) -> str:
        """Return an element's text."""
        text: str = self.browser.find_element(By.ID, name).text
        return text

    def lines(self, log: str, kind: str) -> list[str]:
        """Return the messages in a log of a kind, ``sent`` or ``received``."""
        return [line.text for line in self.browser.find_elements(By.CSS_SELECTOR, f"#{log} .{kind} .text")]

    def fill(self, name: str, text: str) -> None:
        """Write into a field, in place of what is there."""
        field = self.browser.find_element(By.ID, name)
        field.clear()
        field.send_keys(text)

    def click(self, name: str) -> None:
        """Click on a button."""
        self.browser.find_element(By.ID, name).click()

    def converse(
        self, url: str, *messages: str, protocols: tuple[str, ...] = (), close_with: list[Any] | None = None
    ) -> Any:
        """Let a script of the page converse."""
        return self.browser.execute_async_script(CONVERSE, url, protocols, messages, close_with)


class Scenes:
    """The scenes. Each starts by opening what it needs."""

    def __init__(self, visitor: Visitor, plain: str, secure: str) -> None:
        self._visitor = visitor
        self._plain = plain
        self._secure = secure
        self._websockets = plain.replace("http", "ws", 1)

    def connect(self) -> dict[str, Any]:
        return self._connect(self._plain)

    def connect_with_tls(self) -> dict[str, Any]:
        return self._connect(self._secure)

    def _connect(self, address: str) -> dict[str, Any]:
        self._visitor.open_page(address)
        self._visitor.wait(lambda: "Spoken here" in self._visitor.text("api"))
        names = ("echo-state", "chat-state", "echo-details", "api", "echo-log")
        return {name: self._visitor.text(name) for name in names}

    def echo_text(self) -> dict[str, Any]:
        return self._echo_text(self._plain)

    def echo_text_with_tls(self) -> dict[str, Any]:
        return self._echo_text(self._secure)

    def _echo_text(self, address: str) -> dict[str, Any]:
        self._visitor.open_page(address)
        self._visitor.fill("echo-text", "Grüße, 世界")
        self._visitor.click("echo-send")
        return self._echoed()

    def echo_binary(self) -> dict[str, Any]:
        self._visitor.open_page(self._plain)
        self._visitor.click("echo-binary")
        return self._echoed()

    def _echoed(self) -> dict[str, Any]:
        self._visitor.wait(lambda: self._visitor.lines("echo-log", "received"))
        return {kind: self._visitor.lines("echo-log", kind) for kind in ("sent", "received")}

    def chat(self) -> dict[str, Any]:
        visitor, browser = self._visitor, self._visitor.browser
        visitor.open_page(self._plain)
        first = browser.current_window_handle
        browser.switch_to.new_window("window")
        try:
            visitor.open_page(self._plain)
            visitor.fill("chat-name", "Zoë")
            visitor.fill("chat-text", "anybody here?")
            visitor.click("chat-send")
            visitor.wait(lambda: visitor.lines("chat-log", "sent"))
            own = {kind: visitor.lines("chat-log", kind) for kind in ("sent", "received")}
        finally:
            browser.close()
            browser.switch_to.window(first)
        visitor.wait(lambda: visitor.lines("chat-log", "received"))
        return {"own": own, "others": visitor.lines("chat-log", "received")}

    def disconnect(self) -> dict[str, Any]:
        self._visitor.open_page(self._plain)
        self._visitor.click("echo-toggle")
        self._visitor.wait(lambda: self._visitor.text("echo-state") == "closed")
        told = {"echo-details": self._visitor.text("echo-details"), "toggle": self._visitor.text("echo-toggle")}
        self._visitor.click("echo-toggle")
        self._visitor.wait(lambda: self._visitor.text("echo-state") == "open")
        return told

    def server_closes(self) -> Any:
        return self._converse("leave")

    def client_closes(self) -> Any:
        return self._converse("watched", "hello", close_with=[4002, "bis später"])

    def hixie_handler(self) -> Any:
        return self._converse("shout", "grüß dich", "🌍", close_with=[])

    def compressed(self) -> Any:
        return self._converse("echo", *["What is said again is said shorter. " * 100] * 3, close_with=[])

    def subprotocol(self) -> Any:
        return self._converse("choose", "", protocols=("v1.example", "v2.example"), close_with=[])

    def fragments(self) -> Any:
        return self._converse("parts", "Grüße, 世界 🌍", close_with=[])

    def ping(self) -> Any:
        return self._converse("ping")

    def too_big(self) -> Any:
        return self._converse("echo", "x" * (1024 * 1024 + 1))

    def _converse(self, path: str, *messages: str, **more: Any) -> Any:
        self._visitor.browser.get(self._plain)
        return self._visitor.converse(self._websockets + path, *messages, **more)

    def one_mebibyte(self) -> Any:
        self._visitor.browser.get(self._plain)
        return self._visitor.browser.execute_async_script(ECHO_BINARY, self._websockets + "echo", 1024 * 1024)

    def other_origin(self) -> Any:
        self._visitor.browser.get(self._plain)
        return self._visitor.converse(self._websockets.replace("127.0.0.1", "localhost") + "echo")

    def leave_the_page(self) -> Any:
        self._visitor.browser.get(self._plain)
        self._visitor.browser.execute_async_script(STAY_OPEN, self._websockets + "watched")
        self._visitor.browser.get("about:blank")


@contextmanager
def open_browser(chromium: str, chromedriver: str, *flags: str) -> Iterator[Chrome]:
    """Start a browser that knows nothing yet, with more flags, and stop it in the end."""
    with TemporaryDirectory(prefix="chromium-") as folder:
        options = ChromeOptions()
        options.binary_location = chromium
        for flag in (*FLAGS, *flags, f"--user-data-dir={folder}"):
            options.add_argument(flag)
        browser = Chrome(options, Service(chromedriver))
        try:
            browser.set_page_load_timeout(PATIENCE)
            browser.set_script_timeout(PATIENCE)
            yield browser
        finally:
            browser.quit()


def main() -> None:
    """Play all scenes."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))  # not without stopping the browser
    told = json.load(sys.stdin)
    with open_browser(told["chromium"], told["chromedriver"]) as browser:
        version = browser.capabilities["browserVersion"]
        report: dict[str, Any] = {"client": f"Chromium {version}, selenium {selenium.__version__}"}
        scenes = Scenes(Visitor(browser), told["plain"], told["secure"])
        for name in [name for name in vars(Scenes) if not name.startswith("_")]:
            try:
                report[name] = getattr(scenes, name)()
            except Exception:
                report[name] = {"error": traceback.format_exc()}
    json.dump(report, sys.stdout)


if __name__ == "__main__":
    main()
