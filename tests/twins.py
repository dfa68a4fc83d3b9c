"""The two makings of ``wire/hot.py``: in Python, and compiled where that was built."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from hunchensocket_tx.wire import pure

COMPILED: Any
try:
    COMPILED = import_module("hunchensocket_tx.wire._speedups")
except ImportError:
    COMPILED = None

TWINS: dict[str, Any] = {"pure": pure} if COMPILED is None else {"pure": pure, "compiled": COMPILED}


class TwinCase(SynchronousTestCase):
    """Says of both what is true of one."""

    def assert_same(self, results: dict[str, object]) -> None:
        """Check that what the twins gave is the same, of the same types all through."""
        first, *others = results.values()
        for other in others:
            self.assertEqual(repr(other), repr(first))
