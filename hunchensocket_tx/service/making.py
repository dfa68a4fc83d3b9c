"""makeService: from options to the services that twistd runs."""

from __future__ import annotations

import sys
from typing import Any

from twisted.application.service import IService, MultiService
from twisted.internet.interfaces import IStreamServerEndpoint
from twisted.logger import Logger

from hunchensocket_tx.acceptor import EndpointAcceptor
from hunchensocket_tx.factory import GuardedSite
from hunchensocket_tx.service.group import one_line
from hunchensocket_tx.service.options import Options

__all__ = ["CannotServe", "makeService"]


def makeService(options: Options) -> IService:
    """Return the service that the options ask for (IServiceMaker)."""
    top, resources = options.make_site()
    services = MultiService()
    for name, endpoint in options.endpoints:
        site = GuardedSite(top, options.settings)
        acceptor = _OptionAcceptor(name, endpoint, site, *resources)
        acceptor.setServiceParent(services)  # type: ignore[no-untyped-call]
    return services


class _OptionAcceptor(EndpointAcceptor):
    """An acceptor that ends the program with a line that names its option, if it cannot listen."""

    _log = Logger()

    def __init__(
        self, option: str, endpoint: IStreamServerEndpoint, factory: GuardedSite, *resources: Any
    ) -> None:
        super().__init__(endpoint, factory, *resources)
        self._option = option

    def _listen(self) -> None:
        try:
            super()._listen()
        except Exception as error:  # each kind of endpoint raises its own; all say what is wrong
            line = f"twistd hunchensocket: {self._option}: {one_line(error)}"
            if sys.__stderr__ is not None:
                print(line, file=sys.__stderr__)  # twistd has sent sys.stderr to the log
            self._log.critical("{line}", line=line)  # a daemon has no terminal
            raise CannotServe(line) from None


class CannotServe(SystemExit, Exception):
    """Ends twistd with status 1 and no traceback; as it is an Exception, too, a daemon tells its starter."""

    def __init__(self, line: str) -> None:
        super().__init__(line)
        self.code = 1
