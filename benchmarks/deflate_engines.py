"""Which DEFLATE library is worth it: CPU time of zlib, isal and zlib-ng for messages as WebSockets carry them.

Usage: ``python benchmarks/deflate_engines.py``; ``pip install isal zlib-ng`` to have all. Each engine compresses
and inflates the same messages with the same window (12 bits), kept from message to message, in turns.
"""

from __future__ import annotations

import json
import random
import zlib
from importlib import import_module
from time import process_time
from typing import Any

ROUNDS = 5
TAIL = b"\x00\x00\xff\xff"


def messages() -> dict[str, list[bytes]]:
    """Return messages of several kinds and sizes."""
    source = random.Random(1)
    words = ["stream", "mutex", "message", "handler", "socket", "frame", "close", "reason", "origin", "twisted"]

    def chat(size: int) -> bytes:
        body: dict[str, Any] = {"type": "said", "room": "lobby", "id": source.randrange(10**9), "text": ""}
        while len(json.dumps(body)) < size:
            body["text"] += source.choice(words) + " "
        return json.dumps(body).encode()

    return {
        "200 B of JSON": [chat(200) for _ in range(5000)],
        "4 KiB of JSON": [chat(4096) for _ in range(500)],
        "64 KiB of JSON": [chat(65536) for _ in range(30)],
    }


def engines() -> dict[str, Any]:
    """Return what is installed."""
    found: dict[str, Any] = {"zlib": zlib}
    for name, module in (("isal", "isal.isal_zlib"), ("zlib-ng", "zlib_ng.zlib_ng")):
        try:
            found[name] = import_module(module)
        except ImportError:
            print(f"{name} is not installed")
    return found


def run(engine: Any, name: str, batch: list[bytes]) -> tuple[float, float, int]:
    """Return the seconds to compress and to inflate a batch, and the bytes in between."""
    level = 1 if name == "isal" else 6  # isal has levels 0 to 3
    compressor = engine.compressobj(level, 8, -12, 5)
    start = process_time()
    compressed = [compressor.compress(data) + compressor.flush(engine.Z_SYNC_FLUSH) for data in batch]
    middle = process_time()
    inflater = engine.decompressobj(-12)
    inflated = [inflater.decompress(data, 1 << 20) for data in compressed]
    end = process_time()
    if inflated != batch:
        raise AssertionError(f"{name} lost something")
    return middle - start, end - middle, sum(map(len, compressed))


def main() -> None:
    """Print the best of some rounds, in which the engines take turns."""
    found = engines()
    for kind, batch in messages().items():
        results: dict[str, list[tuple[float, float, int]]] = {name: [] for name in found}
        for _ in range(ROUNDS):
            for name, engine in found.items():
                results[name].append(run(engine, name, batch))
        for name, runs in results.items():
            pack, unpack = (min(column) / len(batch) * 1e6 for column in list(zip(*runs, strict=True))[:2])
            share = runs[0][2] / sum(map(len, batch))
            times = f"{pack:8.1f} us to compress, {unpack:7.1f} us to inflate"
            print(f"{kind:15} {name:8} {times}, {share:6.1%} of the size")


if __name__ == "__main__":
    main()
