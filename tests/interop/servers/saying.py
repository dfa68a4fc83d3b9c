"""What the servers that are written in Python share; the package says what they do."""

from __future__ import annotations

import json

FAREWELL = (4001, "enough, für heute")
LARGEST = 2 * 1024 * 1024
PATHS = ("/echo", "/leave", "/ping", "/parts")
SUBPROTOCOLS = ["v2.example", "v1.example"]


def say(**facts: object) -> None:
    """Say something to the test."""
    print(json.dumps(facts), flush=True)
