"""Runs a target under atheris: ``python -m fuzz TARGET [options of libFuzzer] [folders of inputs]``."""

import sys
from importlib import import_module


def main() -> None:
    """Fuzz until an input breaks something, or libFuzzer's limits are reached."""
    name, *options = sys.argv[1:]
    atheris = import_module("atheris")
    with atheris.instrument_imports(include=["hunchensocket_tx"]):
        target = import_module(f"fuzz.fuzz_{name}")
    atheris.Setup([name, *options], target.check)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
