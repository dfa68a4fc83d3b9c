"""Tests of hunchensocket_tx.speedups: what it says is in use."""

from __future__ import annotations

import os
import subprocess
import sys

from twisted.trial.unittest import SynchronousTestCase

from hunchensocket_tx import speedups
from tests.processes import CHECKOUT
from tests.twins import COMPILED

SAY = "from hunchensocket_tx import speedups; print(speedups.compiled, speedups.in_use, sep=': ')"


def said(program: str, **variables: str) -> str:
    """Return what a program prints in a new Python."""
    environment = {**os.environ, "HUNCHENSOCKET_PURE": "", **variables}
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, cwd=CHECKOUT, env=environment, text=True, capture_output=True, check=True)
    return done.stdout


class SpeedupsTests(SynchronousTestCase):
    def test_the_words_go_with_the_value(self) -> None:
        self.assertEqual(speedups.in_use == "compiled", speedups.compiled)

    def test_the_compiled_part_is_in_use_where_it_was_built(self) -> None:
        self.assertTrue(said(SAY).startswith("False: pure Python: " if COMPILED is None else "True: compiled"))

    def test_the_environment_turns_it_off(self) -> None:
        expected = "False: pure Python: HUNCHENSOCKET_PURE is set\n"
        self.assertEqual(said(SAY, HUNCHENSOCKET_PURE="1"), expected)

    def test_without_it_the_reason_is_told(self) -> None:
        hide = "import sys; sys.modules['hunchensocket_tx.wire._speedups'] = None; "
        self.assertIn("False: pure Python: import of hunchensocket_tx.wire._speedups halted", said(hide + SAY))
