"""docs/: the Python in it compiles, what is marked runs, and Sphinx has nothing to say against the rest.

Blocks of a page with ``:class: runs`` are one program; those of ``migration`` with ``:class: before`` or ``after``
are one each.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from unittest import TestResult

from twisted.trial.unittest import SynchronousTestCase
from twisted.web.resource import Resource
from twisted.web.server import Site

from tests.client_support import ClientCase
from tests.processes import CHECKOUT, unavailable
from tests.support import serve

DOCS = CHECKOUT / "docs"

BLOCK = re.compile(r"^\.\. code-block:: python\n((?:   :.*\n)*)\n((?:(?:   .*)?\n)+)", re.MULTILINE)


def pages() -> list[Path]:
    """Return all pages."""
    return sorted(path for path in DOCS.rglob("*.rst") if "_build" not in path.parts)


def blocks(page: Path) -> Iterator[tuple[str, str]]:
    """Yield each block of Python on a page, with what it is marked as."""
    for options, text in BLOCK.findall(page.read_text("utf-8") + "\n"):
        yield options.strip().removeprefix(":class: "), textwrap.dedent(text)


def run(text: str, name: str) -> dict[str, Any]:
    """Run a program; return its names."""
    names: dict[str, Any] = {"__name__": name}
    exec(compile(text, name, "exec"), names)
    return names


class BlockTests(SynchronousTestCase):
    """All pages."""

    def test_every_block_compiles(self) -> None:
        found = 0
        for page in pages():
            for _, text in blocks(page):
                with self.subTest(page=page.name, text=text):
                    compile(text, str(page), "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
                    found += 1
        self.assertGreater(found, 20)

    def test_what_is_marked_runs_and_its_tests_pass(self) -> None:
        for page in pages():
            program = "".join(text for mark, text in blocks(page) if mark == "runs")
            with self.subTest(page=page.name):
                names = run(program, page.stem)
                for case in filter(is_test_case, names.values()):
                    for name in filter(lambda name: name.startswith("test_"), vars(case)):
                        result = TestResult()
                        case(name).run(result)
                        self.assertTrue(result.wasSuccessful(), f"{name}: {result.errors}{result.failures}")


def is_test_case(value: object) -> bool:
    """Tell whether this is a class of tests that a page has."""
    return isinstance(value, type) and issubclass(value, SynchronousTestCase) and value is not SynchronousTestCase


class MigrationTests(ClientCase):
    """Both sides of each comparison answer a client in the same way."""

    def run_block(self, mark: str, number: int) -> dict[str, Any]:
        """Run one of the blocks with a mark; return its names."""
        texts = [text for found, text in blocks(DOCS / "migration.rst") if found == mark]
        return run(texts[number], f"{mark}-{number}")

    async def assert_echoes(self, mark: str, number: int, version: int = 13) -> None:
        """Serve a block, and talk to it."""
        names = self.run_block(mark, number)
        served = names.get("factory")
        if served is None:
            root = Resource()
            root.putChild(b"", names["resource"])
            served = Site(root)
        address = await serve(self, served)
        stream = await self.connect(f"ws://127.0.0.1:{address.port}/", version=version)
        stream.send("hello")
        said = await stream.receive()
        self.assertIn(said, ("hello", b"hello"))
        stream.abort()
        await stream.when_closed()

    def need(self, module: str) -> None:
        """Skip a test of what others wrote, if it is not here."""
        if find_spec(module.partition(".")[0]) is None or find_spec(module) is None:
            unavailable(f"there is no {module}")

    async def test_before_autobahn(self) -> None:
        self.need("autobahn")
        await self.assert_echoes("before", 0)

    async def test_after_autobahn(self) -> None:
        await self.assert_echoes("after", 0)

    async def test_after_txws(self) -> None:
        for version in (76, 13):
            await self.assert_echoes("after", 1, version)

    async def test_before_twisted_web_websocket(self) -> None:
        self.need("twisted.web.websocket")
        self.need("wsproto")
        await self.assert_echoes("before", 2)

    async def test_after_twisted_web_websocket(self) -> None:
        await self.assert_echoes("after", 2)


class SphinxTests(SynchronousTestCase):
    """The pages as HTML."""

    def test_it_builds_without_a_warning(self) -> None:
        if find_spec("sphinx") is None:
            unavailable("Sphinx is not installed; the extra 'docs' has it")
        command = (sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-b", "html", DOCS, self.mktemp())
        built = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
        self.assertEqual(built.returncode, 0, built.stdout + built.stderr)
