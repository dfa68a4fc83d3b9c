"""Lets ``twistd`` find the ``hunchensocket`` command. twistd reads every plugin at its start: keep this cheap."""

from twisted.application.service import ServiceMaker

hunchensocket = ServiceMaker(
    "Hunchensocket",
    "hunchensocket_tx.service",
    "Serve WebSockets, from hixie-76 to RFC 6455: a built-in page, your own handlers, static files",
    "hunchensocket",
)
