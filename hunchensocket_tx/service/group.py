"""What groups of options have in common: each is of one subject, and says what is wrong by the option's name."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any, TypeVar

from twisted.python import usage
from twisted.python.reflect import namedAny

from hunchensocket_tx.errors import InvalidSetting

__all__ = ["OptionGroup", "one_line"]

Value = TypeVar("Value")


class OptionGroup(usage.Options):
    """Options of one subject. ``Options`` inherits from all groups; ``check`` runs through them.

    :cvar setting_options: which option gives a setting, to name it when the setting is wrong; by default, the
        setting's name with dashes.
    :ivar process_index: which this is of the processes that serve the same, from 0 on.
    """

    setting_options: dict[str, str] = {}

    process_index = 0

    def check(self) -> None:
        """Turn the options into what they name, as early as twistd can show an error.

        :raises UsageError: naming the option, and the mend.
        """

    def setting_changes(self) -> dict[str, Any]:
        """Return the settings that options give; None for one that is not given."""
        return {}

    def number(self, option: str, kind: Callable[[str], Value], wanted: str) -> Value | None:
        """Return an option as a number; None if it is not given."""
        if self[option] is None:
            return None
        try:
            return kind(self[option])
        except ValueError:
            raise usage.UsageError(f"--{option}: give {wanted}, not {self[option]!r}") from None

    def port_number(self, option: str) -> int | None:
        """Return an option as the number of a port; None if it is not given."""
        port = self.number(option, int, "a port number from 0 to 65535")
        if port is not None and not 0 <= port <= 65535:
            raise usage.UsageError(f"--{option}: give a port number from 0 to 65535, not {port}")
        return port

    def imported(self, option: str) -> Any:
        """Return what a dotted name stands for, which may be in the current folder; None if it is not given."""
        name = self[option]
        if name is None:
            return None
        if os.getcwd() not in sys.path:
            sys.path.insert(0, os.getcwd())
        try:
            return namedAny(name)
        except (Exception, SystemExit) as error:  # a module may raise anything while it is imported
            raise usage.UsageError(f"--{option}: {name!r} cannot be imported: {one_line(error)}") from error

    def check_folder(self, option: str) -> None:
        """Check that an option names a folder, if it is given."""
        if self[option] is not None and not os.path.isdir(self[option]):
            raise usage.UsageError(f"--{option}: {self[option]!r} is not a folder")

    def named(self, make: Callable[[], Value]) -> Value:
        """Make something of settings; if one is wrong, name the option that gave it."""
        try:
            return make()
        except InvalidSetting as error:
            setting, _, what = str(error).partition(": ")
            option = self.setting_options.get(setting, setting.replace("_", "-"))
            raise usage.UsageError(f"--{option}: {what}") from error


def one_line(error: BaseException) -> str:
    """Return what an exception says, in one line."""
    return " ".join(str(error).split()) or type(error).__name__
