"""Servers for our client, those of others and our own: each a program that :mod:`tests.interop.calls` starts.

It says on stdout what happens, as lines of JSON: ``{"port": n}`` first, its port of 127.0.0.1, and at the end of
every connection ``{"closed": [code, reason]}`` as it sees them. Messages of up to 2 MiB come back; the path says
what else is done:

- ``/echo``: no more than that
- ``/leave``: it is closed at once, with 4001 and ``enough, für heute``
- ``/ping``: it is pinged, and told ``you live`` when it has answered
- ``/parts``: each message comes back in fragments of three characters or bytes, where the server can do that
- any other: the request gets 404

Of the subprotocols ``v2.example`` and ``v1.example`` one is agreed upon if it is offered, and permessage-deflate
likewise.
"""
