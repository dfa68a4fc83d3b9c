"""makeService: from options to the services that twistd runs."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from typing import Any

from twisted.application.service import IService
from twisted.internet.interfaces import IProtocolFactory, IStreamServerEndpoint
from twisted.logger import Logger
from twisted.web.resource import Resource

from hunchensocket_tx.acceptor import EndpointAcceptor
from hunchensocket_tx.factory import GuardedSite
from hunchensocket_tx.service.group import one_line
from hunchensocket_tx.service.hangup import OnHangup
from hunchensocket_tx.service.logs import JSONLog, LogFile, LoggedSite, log_end
from hunchensocket_tx.service.metrics import MetricsFactory
from hunchensocket_tx.service.notifying import Notifier
from hunchensocket_tx.service.options import Options
from hunchensocket_tx.service.sharing import Bound
from hunchensocket_tx.service.stopping import GracefulService
from hunchensocket_tx.service.supervisor import Supervisor
from hunchensocket_tx.service.worker import Worker
from hunchensocket_tx.settings import Settings

__all__ = ["CannotServe", "makeService"]


def makeService(options: Options) -> IService:
    """Return the service that the options ask for (IServiceMaker)."""
    return _server(options) if options.worker_count is None else _supervisor(options, options.worker_count)


def _server(options: Options) -> IService:
    top, resources = options.make_site()
    for resource in resources:
        resource.tally = options.tally
    services = GracefulService(resources, options.stop_timeout)
    if options.tls is not None:
        OnHangup(options.tls.reload).setServiceParent(services)  # type: ignore[no-untyped-call]
    make_site = _add_logs(options, services)
    for name, endpoint in options.endpoints:
        site = make_site(top, options.settings)
        acceptor = _OptionAcceptor(name, endpoint, site, *resources)
        acceptor.stop_reason = options["stop-reason"]
        acceptor.setServiceParent(services)  # type: ignore[no-untyped-call]
    if options.metrics_endpoint is not None:
        metrics = _OptionAcceptor("--metrics", options.metrics_endpoint, MetricsFactory(options.tally))
        metrics.setServiceParent(services)  # type: ignore[no-untyped-call]
    if options.orders is not None:
        services.hurried_by = ("SIGINT",)  # systemd sends SIGTERM to all, and the supervisor passes its own on
        Worker(options.orders.number).setServiceParent(services)  # type: ignore[no-untyped-call]
    Notifier().setServiceParent(services)  # type: ignore[no-untyped-call]
    return services


def _supervisor(options: Options, count: int) -> IService:
    command, folder = options.worker_command()
    services = Supervisor(command, folder, count, options.binding, options.stop_timeout)
    for name, endpoint in options.endpoints:
        acceptor = _OptionAcceptor(name, endpoint, Bound())
        acceptor.setServiceParent(services)  # type: ignore[no-untyped-call]
    Notifier().setServiceParent(services)  # type: ignore[no-untyped-call]
    return services


def _add_logs(options: Options, services: GracefulService) -> Callable[[Resource, Settings], GuardedSite]:
    """Write the logs that are asked for; return what makes a site."""
    make_site: Callable[[Resource, Settings], GuardedSite] = GuardedSite
    files = []
    if options["access-log"] is not None:
        files.append(LogFile(options["access-log"]))
        make_site = partial(LoggedSite, access_log=files[-1])
    if options["log-json"] is not None:
        files.append(LogFile(options["log-json"]))
        JSONLog(files[-1]).setServiceParent(services)  # type: ignore[no-untyped-call]
        options.tally.when_ended = log_end
    for file in files:
        OnHangup(file.reopen).setServiceParent(services)  # type: ignore[no-untyped-call]
    return make_site


class _OptionAcceptor(EndpointAcceptor):
    """An acceptor that ends the program with a line that names its option, if it cannot listen."""

    _log = Logger()

    def __init__(
        self, option: str, endpoint: IStreamServerEndpoint, factory: IProtocolFactory, *resources: Any
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
