"""Plays plans of ``socketio_scenarios.js`` with a headless Chromium, all at once.

Reads an object from stdin: ``chromium`` and ``chromedriver``, the programs; ``page``, the address of
``socketio_page.html``; and ``plans``, each with ``bundle``, the address of a client, relative to it. Prints an
object with ``reports``.
"""

from __future__ import annotations

import json
import signal
import sys

import selenium

from tests.interop.chromium_client import open_browser

ONE_PROCESS = "--disable-site-isolation-trials"
"""JSONP sends with frames of the server's, and each would be a process."""


def main() -> None:
    """Play the plans."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))  # not without stopping the browser
    told = json.load(sys.stdin)
    with open_browser(told["chromium"], told["chromedriver"], ONE_PROCESS) as browser:
        browser.set_script_timeout(120)
        browser.get(told["page"])
        reports = json.loads(browser.execute_async_script("play(...arguments)", json.dumps(told["plans"])))
        version = browser.capabilities["browserVersion"]
    json.dump({"client": f"Chromium {version}, selenium {selenium.__version__}", "reports": reports}, sys.stdout)


if __name__ == "__main__":
    main()
