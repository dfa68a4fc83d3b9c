"""Our client as the Autobahn testsuite's fuzzing server wants it: one that sends every message back.

It is no test of this project's suite, as the testsuite needs Python 2.7 and many minutes. Start its server, then
this module, both in the checkout; the report is written when the last case is done::

    pip install autobahntestsuite                                   # in a virtualenv of Python 2.7
    echo '{"url": "ws://127.0.0.1:9001", "outdir": "_fuzzed", "cases": ["*"]}' > _fuzzed.json
    wstest -m fuzzingserver -u 0 -s _fuzzed.json
    python -m tests.interop.fuzzed_client ws://127.0.0.1:9001       # _fuzzed/index.html

Which cases there are is said in the server's file (``"cases": ["1.*", "7.*"]``).
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from typing import Any
from urllib.parse import quote

from twisted.internet.task import react

from hunchensocket_tx import Settings, WebSocketStream, connect, conversation, speedups

SETTINGS = Settings(max_message_size=32 * 1024 * 1024, ping_interval=0)
"""The largest messages of the testsuite have 16 MiB, some of its frames more."""

FINE = ("OK", "INFORMATIONAL")


@conversation
async def echo(stream: WebSocketStream) -> None:
    """Send every message back, as fast as the server takes them."""
    async for message in stream:
        stream.send(message)
        await stream.drained()


async def ask(reactor: Any, url: str) -> Any:
    """Return the one value, in JSON, that the server says at a URL."""
    async with connect(url, settings=SETTINGS, reactor=reactor) as stream:
        answer = json.loads(await stream.receive())
        await stream.when_closed()
        return answer


async def run(reactor: Any, server: str, agent: str) -> None:
    """Run all cases of a server; print those that are not fine, and how many there are of each kind."""
    who = f"agent={quote(agent)}"
    count = await ask(reactor, f"{server}/getCaseCount")
    kinds: Counter[str] = Counter()
    for case in range(1, count + 1):
        stream = await connect(f"{server}/runCase?case={case}&{who}", echo, settings=SETTINGS, reactor=reactor)
        await stream.when_closed()
        status = (await ask(reactor, f"{server}/getCaseStatus?case={case}&{who}"))["behavior"]
        kinds[status] += 1
        if status not in FINE:
            info = await ask(reactor, f"{server}/getCaseInfo?case={case}")
            print(f"{info['id']}: {status}", flush=True)
    updated = await connect(f"{server}/updateReports?{who}", settings=SETTINGS, reactor=reactor)
    await updated.when_closed()
    print(f"{agent}: {count} cases: {dict(kinds)}")


def main(reactor: Any, server: str, agent: str = "") -> Any:
    """Run the cases of a server; the name for the report says by default how this package was built."""
    from twisted.internet.defer import ensureDeferred

    lane = "lane" if SETTINGS.fast_lane else "no lane"
    return ensureDeferred(run(reactor, server, agent or f"hunchensocket_tx, {speedups.in_use}, {lane}"))


if __name__ == "__main__":
    react(main, sys.argv[1:])
