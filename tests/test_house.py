"""The rules of the house (DESIGN.md section 2), which every module keeps."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

import hunchensocket_tx
from hunchensocket_tx import errors
from tests.processes import CHECKOUT

PACKAGE = CHECKOUT / "hunchensocket_tx"

SOCKETIO = PACKAGE / "socketio"

LAYERS = [
    {"errors", "version", "addresses", "urls"},
    {"settings"},
    {"wire"},
    {
        "bounded_request",
        "client_address",
        "cookies",
        "proxies",
        "proxy_endpoint",
        "reaching",
        "takeover",
        "head_reader",
        "head_request",
        "kept_request",
        "lane",
        "lane_transport",
        "plain_socket",
        "server_tls",
        "fastest",
        "server_names",
        "timers",
        "tls",
        "turns",
        "write_through",
    },
    {"speedups"},
    {"inbox", "outflow", "pings", "vigil", "incoming", "outgoing", "intake", "tally"},
    {"sender"},
    {"connection"},
    {"stream"},
    {"admission", "tallied"},
    {"cascade", "adapters", "client", "opener", "broadcast"},
    {"resource", "factory"},
    {"socketio"},
    {"acceptor", "demo", "forwarding", "forward_tokens"},
    {"endpoints", "endpoint_strings"},
    {"service", "console"},
    {"cli"},
    {"__init__", "__main__", "testing", "testing_transport"},
]
"""The modules, lowest first: each may import from its own layer and from those below."""

SOCKETIO_LAYERS = [
    {"errors"},
    {"settings", "wire"},
    {"handshake"},
    {"session"},
    {"answers", "cors", "permission"},
    {"session_server"},
    {"engine", "first"},
    {"adapter", "calling"},
    {"acks", "event_queue", "listeners", "operators", "recovery"},
    {"broadcasting", "memory_adapter", "remote_socket"},
    {"member"},
    {"socket_operator"},
    {"socket"},
    {"namespace"},
    {"parent_namespace"},
    {"connection"},
    {"server"},
    {"resource"},
    {"__init__"},
]
"""Likewise those of ``socketio``."""

KNOW_ERRORS_ONLY = {
    "takeover",
    "lane",
    "lane_transport",
    "plain_socket",
    "server_names",
    "timers",
    "turns",
    "write_through",
}

TOUCH_TWISTED_S_PRIVATE_PARTS = {"takeover", "http2"}

WITHOUT_TESTS = {"__init__", "__main__", "version"}
"""Packages, of which there is nothing to test, what tests/test_cli.py runs, and a constant, which
tests/test_packaging.py checks."""

TESTED_TOGETHER = {"group", "listening", "making", "options", "serving"}
"""Parts of ``service``, which only together are something: tests/test_service*.py."""

INTERFACES = {"adapter", "errors", "exchange", "packets", "session"}
"""Of ``socketio``: values, and what is asked of others, who are tested."""

PRIVATE = re.compile(r"_(?!_)\w")

PUBLIC_ALL_THE_SAME = {"_replace"}
"""Underscored names that are for all to use: of named tuples, whose fields have the others."""


def room(path: Path, house: Path = PACKAGE) -> str:
    """Return a module's name in a plan: that of its file, or of the package below a house that it is in."""
    return path.relative_to(house).parts[0].removesuffix(".py")


def is_wire(path: Path) -> bool:
    """Tell whether a module is to be free of input and output."""
    house = SOCKETIO if path.is_relative_to(SOCKETIO) else PACKAGE
    return room(path, house) in ("wire", "errors") or path == PACKAGE / "settings.py"


def modules() -> Iterator[tuple[Path, ast.Module]]:
    """Yield each module of the package and what is in it."""
    for path in sorted(PACKAGE.rglob("*.py")):
        yield path, ast.parse(path.read_text("utf-8"), str(path))


def imports(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Yield each import as a module and a name in it, which is empty for ``import module``."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "imports are absolute here"
            yield from ((node.module or "", alias.name) for alias in node.names)


def imported_files(tree: ast.Module) -> set[Path]:
    """Return the modules of the package that one imports, by the files they are in."""
    found = set()
    for module, name in imports(tree):
        if module.partition(".")[0] == PACKAGE.name:
            base = CHECKOUT.joinpath(*module.split("."))
            candidates = (
                base / f"{name}.py",
                base / name / "__init__.py",
                base.with_suffix(".py"),
                base.with_suffix(".pyi"),  # of a compiled module
                base / "__init__.py",
            )
            found.add(next(path for path in candidates if path.exists()))
    return found


def defined_names(tree: ast.Module) -> set[str]:
    """Return the underscored names that a module gives to attributes: methods, fields, what it assigns."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            names.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and is_own(node.value):
            names.add(node.attr)
    return {name for name in names if PRIVATE.match(name)}


def is_own(node: ast.expr) -> bool:
    """Tell whether an expression is the object whose method this is: ``self``, ``cls`` or ``super()``."""
    if isinstance(node, ast.Call):
        node = node.func
    return isinstance(node, ast.Name) and node.id in ("self", "cls", "super")


def private_accesses(tree: ast.Module) -> Iterator[tuple[str, int, bool]]:
    """Yield the underscored attributes used, with the line, and whether of ``self`` or of another object."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and PRIVATE.match(node.attr) and node.attr not in PUBLIC_ALL_THE_SAME:
            yield node.attr, node.lineno, is_own(node.value)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id.endswith("attr"):
            for argument in node.args[1:2]:
                if isinstance(argument, ast.Constant) and PRIVATE.match(str(argument.value)):
                    yield str(argument.value), node.lineno, is_own(node.args[0])


def public_definitions(
    parent: ast.Module | ast.ClassDef, prefix: str
) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef]]:
    """Yield the public functions, classes and methods, with their dotted names; overloads and setters are none."""
    for node in parent.body:
        if (
            isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))
            and not node.name.startswith("_")
            and not any(ast.unparse(mark).endswith(("overload", ".setter")) for mark in node.decorator_list)
        ):
            yield f"{prefix}.{node.name}", node
            if isinstance(node, ast.ClassDef):
                yield from public_definitions(node, f"{prefix}.{node.name}")


class HouseCase(SynchronousTestCase):
    """Collects what breaks a rule, so that all of it is told at once."""

    def assert_none(self, broken: list[str]) -> None:
        """Check that there is nothing in a list."""
        self.assertEqual(broken, [], "\n" + "\n".join(broken))


class ImportTests(HouseCase):
    """Imports point down."""

    def test_wire_imports_nothing_that_does_input_or_output(self) -> None:
        forbidden = {
            "twisted",
            "zope",
            "asyncio",
            "logging",
            "select",
            "selectors",
            "socket",
            "ssl",
            "threading",
            "time",
        }
        self.assert_none(
            [
                f"{path}: {module}"
                for path, tree in modules()
                if is_wire(path)
                for module, _ in imports(tree)
                if module.partition(".")[0] in forbidden
            ]
        )

    def test_each_module_has_a_layer(self) -> None:
        for house, layers in ((PACKAGE, LAYERS), (SOCKETIO, SOCKETIO_LAYERS)):
            known = set().union(*layers)
            inside = [path for path, _ in modules() if path.is_relative_to(house)]
            self.assert_none([f"{path}: give it a layer" for path in inside if room(path, house) not in known])

    def test_imports_point_down_the_layers(self) -> None:
        for house, layers in ((PACKAGE, LAYERS), (SOCKETIO, SOCKETIO_LAYERS)):
            layer = {name: number for number, names in enumerate(layers) for name in names}
            self.assert_none(
                [
                    f"{room(path, house)} imports {room(other, house)}"
                    for path, tree in modules()
                    for other in imported_files(tree)
                    if path.is_relative_to(house) and other.is_relative_to(house)
                    if layer.get(room(path, house), 0) < layer.get(room(other, house), 0)
                ]
            )

    def test_takeover_and_lane_know_nothing_of_the_rest(self) -> None:
        self.assert_none(
            [
                f"{room(path)} imports {room(other)}"
                for path, tree in modules()
                if room(path) in KNOW_ERRORS_ONLY
                for other in imported_files(tree)
                if room(other) not in {"errors", *KNOW_ERRORS_ONLY}
            ]
        )

    def test_there_are_no_cycles(self) -> None:
        TopologicalSorter({path: imported_files(tree) for path, tree in modules()}).prepare()


class PrivatePartsTests(HouseCase):
    """Underscored names are their owner's alone."""

    def test_no_underscored_name_is_imported_from_twisted(self) -> None:
        self.assert_none(
            [
                f"{path}: {module} {name}"
                for path, tree in modules()
                if room(path) not in TOUCH_TWISTED_S_PRIVATE_PARTS
                for module, name in imports(tree)
                if module.partition(".")[0] == "twisted"
                and any(PRIVATE.match(part) for part in (*module.split("."), name))
            ]
        )

    def test_underscored_attributes_are_our_own(self) -> None:
        """Of ``self`` they are defined somewhere in the package, of other objects in the same module."""
        trees = list(modules())
        ours = set().union(*(defined_names(tree) for _, tree in trees))
        self.assert_none(
            [
                f"{path}:{line}: {name}"
                for path, tree in trees
                if room(path) not in TOUCH_TWISTED_S_PRIVATE_PARTS
                for name, line, own in private_accesses(tree)
                if name not in (ours if own else defined_names(tree))
            ]
        )

    def test_our_classes_do_not_take_the_underscored_names_of_those_of_twisted(self) -> None:
        """Else one of Twisted's methods finds something of ours where it looks for its own."""
        taken = []
        for path, tree in modules():
            parts = path.relative_to(CHECKOUT).with_suffix("").parts
            module = importlib.import_module(".".join(parts).removesuffix(".__init__"))
            for node in ast.walk(tree):
                if isinstance(node, ast.ClassDef) and isinstance(made := getattr(module, node.name, None), type):
                    theirs = [base for base in made.__mro__ if base.__module__.startswith("twisted.")]
                    text = "".join(map(inspect.getsource, theirs))
                    names = set(re.findall(r"\bself\.(_[a-z]\w*)|\b(?:def|class) (_[a-z]\w*)", text))
                    used = {name for pair in names for name in pair}
                    body = ast.Module([node], [])
                    taken += [f"{path}: {node.name}.{name}" for name in defined_names(body) & used]
        self.assert_none(taken)


class SizeTests(HouseCase):
    """Files that one can take in."""

    def test_no_file_has_more_than_400_lines(self) -> None:
        paths = [
            *CHECKOUT.glob("*.py"),
            *(
                path
                for name in (PACKAGE.name, "tests", "twisted", "benchmarks")
                for path in CHECKOUT.glob(f"{name}/**/*.py")
            ),
        ]
        counts = {path: len(path.read_text("utf-8").splitlines()) for path in paths}
        self.assert_none([f"{path}: {count} lines" for path, count in counts.items() if count > 400])

    def test_each_module_has_its_tests(self) -> None:
        missing = []
        for path, _ in modules():
            stem = path.parent.name if path.parent.name == "demo" else path.stem
            folder = CHECKOUT / "tests" / ("socketio" if path.is_relative_to(SOCKETIO) else "")
            names = (f"test_{stem}.py", f"test_{path.parent.name}_{stem}.py")  # some stems are there twice
            if stem not in TESTED_TOGETHER | WITHOUT_TESTS | INTERFACES and not any(
                (folder / name).exists() for name in names
            ):
                missing.append(f"{folder / names[0]} is missing")
        self.assert_none(missing)


class PublicNamesTests(HouseCase):
    """What the package offers."""

    def test_the_public_names_are_sorted(self) -> None:
        self.assertEqual(hunchensocket_tx.__all__, sorted(set(hunchensocket_tx.__all__)))

    def test_each_public_name_is_there(self) -> None:
        self.assert_none([name for name in hunchensocket_tx.__all__ if not hasattr(hunchensocket_tx, name)])

    def test_each_exception_is_public(self) -> None:
        for name in errors.__all__:
            with self.subTest(name=name):
                self.assertIn(name, hunchensocket_tx.__all__)
                self.assertIs(getattr(hunchensocket_tx, name), getattr(errors, name))

    def test_nothing_is_defined_in_the_package_s_init(self) -> None:
        tree = ast.parse((PACKAGE / "__init__.py").read_text("utf-8"))
        allowed = (ast.ImportFrom, ast.Expr)
        others = [node for node in tree.body if not isinstance(node, allowed)]
        self.assert_none([ast.unparse(node) for node in others if not ast.unparse(node).startswith("__all__ = ")])

    def test_each_module_s_public_names_are_there(self) -> None:
        for path, _ in modules():
            name = ".".join(path.relative_to(CHECKOUT).with_suffix("").parts).removesuffix(".__init__")
            module = importlib.import_module(name)
            for public in getattr(module, "__all__", ()):
                with self.subTest(module=name, name=public):
                    self.assertTrue(hasattr(module, public))

    def test_everything_public_has_a_docstring(self) -> None:
        missing = []
        for path, tree in modules():
            if not ast.get_docstring(tree):
                missing.append(str(path))
            missing += [name for name, node in public_definitions(tree, path.stem) if not ast.get_docstring(node)]
        self.assert_none(missing)
