"""What is shipped: a wheel of this checkout, installed into an empty environment."""

from __future__ import annotations

import email
import email.message
import functools
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from hunchensocket_tx import __version__
from tests.processes import CHECKOUT, unavailable
from tests.twins import COMPILED

SHIPPED = ("hunchensocket_tx", "twisted")

NO_NETWORK = re.compile("NewConnectionError|ConnectTimeoutError|NameResolutionError|ProxyError")


def run(*command: str | Path, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a program away from the checkout, which it must not find, and return what it said."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | variables
    return subprocess.run(
        list(map(str, command)), cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def must(result: subprocess.CompletedProcess[str]) -> None:
    """Check that a program succeeded; without a network, there is no saying."""
    if result.returncode:
        said = result.stdout + result.stderr
        if NO_NETWORK.search(said):
            unavailable(f"there is no package index to reach:\n{said}")
        raise AssertionError(said)


@functools.cache
def workshop() -> Path:
    """Return a new folder, the same for all tests here, with a copy of what the checkout ships."""
    folder = Path(tempfile.mkdtemp(prefix="packaging-", dir=Path.cwd()))
    source = folder / "source"
    source.mkdir()
    for path in CHECKOUT.iterdir():
        if path.is_file() and not path.name.startswith("."):
            shutil.copy(path, source)
    for name in SHIPPED:
        shutil.copytree(
            CHECKOUT / name, source / name, ignore=shutil.ignore_patterns("__pycache__", "dropin.cache", "*.so")
        )
    return folder


@functools.cache
def wheel() -> Path:
    """Return a wheel, made by what is here, or else by what pip fetches for it."""
    if importlib.util.find_spec("pip") is None:
        unavailable("there is no pip")
    pip_wheel = (sys.executable, "-m", "pip", "wheel", "--no-deps", "--wheel-dir", "wheels")
    for more in (("--no-build-isolation",), ()):
        result = run(*pip_wheel, *more, workshop() / "source", folder=workshop())
        if result.returncode == 0:
            break
    must(result)
    [path] = (workshop() / "wheels").glob("*.whl")
    return path


@functools.cache
def environment() -> Path:
    """Return the folder of an environment's programs, with the wheel and what it depends on."""
    folder = workshop() / "environment"
    made = run(sys.executable, "-m", "venv", folder, folder=workshop())
    if made.returncode:
        unavailable(f"there is no venv to be made:\n{made.stdout}{made.stderr}")
    must(run(folder / "bin" / "python", "-m", "pip", "install", wheel(), folder=workshop()))
    return folder / "bin"


class WheelTests(SynchronousTestCase):
    """The wheel's contents."""

    def setUp(self) -> None:
        with zipfile.ZipFile(wheel()) as archive:
            self.names = set(archive.namelist())
            [metadata] = (name for name in self.names if name.endswith(".dist-info/METADATA"))
            self.metadata: email.message.Message = email.message_from_bytes(archive.read(metadata))

    def test_all_modules_are_in_it(self) -> None:
        for name in SHIPPED:
            for path in (CHECKOUT / name).rglob("*.py"):
                with self.subTest(path=path):
                    self.assertIn(path.relative_to(CHECKOUT).as_posix(), self.names)

    def test_the_files_that_are_no_modules_are_in_it(self) -> None:
        for name in ("hunchensocket_tx/demo/page.html", "hunchensocket_tx/py.typed"):
            with self.subTest(name=name):
                self.assertIn(name, self.names)

    def test_the_compiled_part_is_in_it_and_its_source_is_not(self) -> None:
        if COMPILED is None:
            unavailable("the compiled part cannot be built here")
        kinds = {name.rpartition(".")[2] for name in self.names if "_speedups" in name}
        self.assertEqual(kinds, {"so", "pyi"})

    def test_nothing_of_twisted_is_replaced(self) -> None:
        ours = {name for name in self.names if name.startswith("twisted/")}
        plugins = {"hunchensocket_endpoints.py", "hunchensocket_plugin.py"}
        self.assertEqual(ours, {f"twisted/plugins/{name}" for name in plugins})

    def test_no_tests_are_in_it(self) -> None:
        tops = {name.partition("/")[0] for name in self.names if not name.partition("/")[0].endswith(".dist-info")}
        self.assertEqual(tops, set(SHIPPED))

    def test_the_licence_is_in_it(self) -> None:
        self.assertTrue(any(re.search(r"\.dist-info/(licenses/)?LICENSE$", name) for name in self.names))

    def test_its_version_is_the_package_s(self) -> None:
        self.assertEqual(self.metadata["Version"], __version__)

    def test_it_demands_a_twisted_that_keeps_bytes_in_order(self) -> None:
        """Those before 24.7 do not (CVE-2024-41671)."""
        demanded = "\n".join(self.metadata.get_all("Requires-Dist", []))
        match = re.search(r"(?im)^twisted\s*\(?>=(\d+)\.(\d+)", demanded)
        assert match, demanded
        self.assertGreaterEqual((int(match[1]), int(match[2])), (24, 7))


class SourceArchiveTests(SynchronousTestCase):
    """The archive of sources, of which others make packages."""

    def test_all_that_a_wheel_needs_is_in_it(self) -> None:
        if importlib.util.find_spec("build") is None:
            unavailable("there is no module build")
        must(run(sys.executable, "-m", "build", "--sdist", "--outdir", "sdist", "source", folder=workshop()))
        [path] = (workshop() / "sdist").glob("*.tar.gz")
        with tarfile.open(path) as archive:
            names = {name.partition("/")[2] for name in archive.getnames()}
        for name in (
            *("LICENSE", "README.rst", "pyproject.toml", "setup.cfg", "twisted/plugins/hunchensocket_plugin.py"),
            *("hunchensocket_tx/demo/page.html", "hunchensocket_tx/py.typed", "hunchensocket_tx/wire/hixie.py"),
            *("setup.py", "hunchensocket_tx/wire/_speedups.c", "hunchensocket_tx/wire/_speedups.pyi"),
        ):
            with self.subTest(name=name):
                self.assertIn(name, names)


class NoCompilerTests(SynchronousTestCase):
    """Where there is no compiler, it is built and works all the same."""

    def test_it_is_built_without_the_compiled_part(self) -> None:
        if importlib.util.find_spec("setuptools") is None:
            unavailable("there is no setuptools")
        folder = workshop() / "pure"
        shutil.copytree(workshop() / "source", folder, ignore=shutil.ignore_patterns("build", "*.egg-info"))
        must(run(sys.executable, "setup.py", "-q", "build", folder=folder, CC="/nonexistent/cc"))
        [package] = (folder / "build").glob("lib*")
        self.assertEqual(list(package.rglob("*.so")), [])
        said = run(
            sys.executable, "-c", "from hunchensocket_tx.speedups import *; print(compiled)", folder=package
        )
        self.assertEqual((said.stdout, said.stderr), ("False\n", ""))


class InstalledTests(SynchronousTestCase):
    """The wheel in an empty environment, with no checkout in sight."""

    def test_what_it_depends_on_fits_together(self) -> None:
        result = run(environment() / "python", "-m", "pip", "check", folder=workshop())
        self.assertEqual(result.returncode, 0, result.stdout)

    def test_the_package_is_the_installed_one_and_can_be_imported(self) -> None:
        code = "import hunchensocket_tx, hunchensocket_tx.service; print(hunchensocket_tx.__file__)"
        result = run(environment() / "python", "-c", code, folder=workshop())
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        self.assertTrue(result.stdout.startswith(str(environment().parent)), result.stdout)

    def test_twistd_lists_the_command_with_nothing_on_stderr(self) -> None:
        for _ in range(2):  # the first call writes the cache of plugins, the second reads it
            result = run(environment() / "twistd", "--help", folder=workshop())
            self.assertEqual((result.returncode, result.stderr), (0, ""))
            self.assertIn("\n    hunchensocket ", result.stdout)

    def test_twisted_understands_its_descriptions_of_endpoints(self) -> None:
        code = (
            "from twisted.internet import endpoints, reactor; "
            "print(endpoints.clientFromString(reactor, 'wss://localhost/x'), "
            "endpoints.serverFromString(reactor, 'ws:80:path=/x'))"
        )
        result = run(environment() / "python", "-c", code, folder=workshop())
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        self.assertIn("<WebSocketClientEndpoint wss://localhost/x>", result.stdout)

    def test_the_other_commands_of_twistd_are_still_there(self) -> None:
        result = run(environment() / "twistd", "--help", folder=workshop())
        for command in ("web", "conch", "socks"):
            with self.subTest(command=command):
                self.assertIn(f"\n    {command} ", result.stdout)

    def test_the_command_has_a_help_with_nothing_on_stderr(self) -> None:
        result = run(environment() / "twistd", "hunchensocket", "--help", folder=workshop())
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        self.assertIn("--handler", result.stdout)

    def test_the_built_in_page_is_found(self) -> None:
        code = "from hunchensocket_tx.demo import demo_page; print(len(demo_page().children[b''].data))"
        result = run(environment() / "python", "-c", code, folder=workshop())
        self.assertEqual(result.stderr, "")
        self.assertGreater(int(result.stdout), 1000)

    def test_the_plugin_imports_nothing_slow(self) -> None:
        """twistd imports it at every start, whichever command is wanted."""
        code = (
            "import sys, twisted.plugins.hunchensocket_plugin as plugin; "
            "assert plugin.hunchensocket.tapname == 'hunchensocket'; "
            "print(*(name for name in sys.modules if name.startswith(('hunchensocket_tx', 'twisted.web'))))"
        )
        result = run(environment() / "python", "-W", "error", "-c", code, folder=workshop())
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        self.assertEqual(result.stdout.strip(), "")


class PluginFolderTests(SynchronousTestCase):
    """The checkout's ``twisted`` folder is a namespace: with an ``__init__.py`` it would hide Twisted itself."""

    def test_there_is_no_init_in_it(self) -> None:
        self.assertEqual(list((CHECKOUT / "twisted").rglob("__init__.py*")), [])
