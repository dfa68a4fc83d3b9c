"""Tests of hunchensocket_tx.wire.masking_keys: RFC 6455 sections 5.3 and 10.3."""

from __future__ import annotations

import os
import subprocess
import sys
from itertools import count
from threading import Thread

from twisted.trial.unittest import SynchronousTestCase

from hunchensocket_tx.wire import masking_keys
from hunchensocket_tx.wire.masking_keys import new_key
from tests.processes import CHECKOUT

FORK = """
import os
from hunchensocket_tx.wire.masking_keys import new_key

new_key()
told, tell = os.pipe()
child = os.fork()
keys = b"".join(new_key() for _ in range(100))
if not child:
    os.write(tell, keys)
    os._exit(0)
os.waitpid(child, 0)
print(keys.hex(), os.read(told, 400).hex())
"""
"""Prints the keys that parent and child draw after a fork in the midst of a block."""


class NewKeyTests(SynchronousTestCase):
    """Each key is for one frame, and nobody can predict it."""

    def from_numbers(self) -> list[int]:
        """Let the system's source count instead; return a list where it notes how many bytes it was asked for."""
        numbers, asked = count(), list[int]()

        def urandom(size: int) -> bytes:
            asked.append(size)
            return b"".join(next(numbers).to_bytes(4, "big") for _ in range(size // 4))

        self.patch(os, "urandom", urandom)
        self.patch(masking_keys, "_pool", [])
        return asked

    def test_a_key_has_four_bytes(self) -> None:
        self.assertEqual({(type(key), len(key)) for key in (new_key() for _ in range(3000))}, {(bytes, 4)})

    def test_keys_are_not_drawn_one_by_one(self) -> None:
        asked = self.from_numbers()
        for _ in range(2048):
            new_key()
        self.assertEqual(asked, [4096, 4096])

    def test_all_that_is_drawn_is_used_and_nothing_twice(self) -> None:
        self.from_numbers()
        keys = [int.from_bytes(new_key(), "big") for _ in range(3 * 1024)]
        self.assertEqual(sorted(keys), list(range(3 * 1024)))

    def test_threads_do_not_get_the_same_keys(self) -> None:
        self.from_numbers()
        self.addCleanup(sys.setswitchinterval, sys.getswitchinterval())
        sys.setswitchinterval(1e-6)
        keys: list[bytes] = []
        threads = [Thread(target=lambda: keys.extend([new_key() for _ in range(3000)])) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(len(set(keys)), 12_000)

    def test_without_randomness_there_is_no_key(self) -> None:
        def urandom(size: int) -> bytes:
            raise OSError("there is none")

        self.patch(os, "urandom", urandom)
        self.patch(masking_keys, "_pool", [])
        self.assertRaises(OSError, new_key)

    def test_a_fork_does_not_use_the_keys_of_its_parent(self) -> None:
        environment = {**os.environ, "PYTHONPATH": str(CHECKOUT)}
        said = subprocess.run(
            [sys.executable, "-c", FORK], cwd=CHECKOUT, env=environment, text=True, capture_output=True, check=True
        ).stdout
        parents, childs = map(bytes.fromhex, said.split())
        self.assertEqual((len(parents), len(childs)), (400, 400))
        both = [{keys[start : start + 4] for start in range(0, 400, 4)} for keys in (parents, childs)]
        # Of 100 keys each, one may be the same by chance, once in 400,000 runs; two never are.
        self.assertLess(len(both[0] & both[1]), 2)

    if not hasattr(os, "fork"):
        test_a_fork_does_not_use_the_keys_of_its_parent.skip = "no fork here"  # type: ignore[attr-defined]
