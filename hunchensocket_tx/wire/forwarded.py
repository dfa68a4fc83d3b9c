"""Whose connection it is that proxies forward: the client's address in Forwarded and X-Forwarded-For."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from ipaddress import ip_address
from typing import NamedTuple

from hunchensocket_tx.wire.headers import forwarded_elements

__all__ = ["UNKNOWN", "Node", "forwarded_client", "forwarded_clients"]

_NODE = re.compile(r"(?:\[([0-9a-fA-F:.]+)\]|([0-9.]+))(?::([0-9]{1,5}))?\Z")


class Node(NamedTuple):
    """An address that a proxy tells (RFC 7239 section 6).

    :ivar host: IPv4 or IPv6, as the system writes it.
    :ivar port: 0 if it is not told.
    """

    host: str
    port: int = 0


UNKNOWN = Node("unknown")
"""What a proxy does not want to tell, or in no way that is understood here."""


def forwarded_clients(fields: Mapping[str, Sequence[str]], trusts: Callable[[str], bool]) -> set[Node]:
    """Return the client as each of the two fields tells it; empty if none does.

    Two different ones are a contradiction: one of the fields is the client's own, which the proxy let pass.

    :param fields: of a request from a trusted proxy, names in lower case.
    :param trusts: tells whether an address is that of a trusted proxy.
    """
    elements = forwarded_elements(fields.get("forwarded", ()))
    names = [name for line in fields.get("x-forwarded-for", ()) for name in line.split(",")]
    told = [_client(names, trusts), _client([element.get("for") for element in elements], trusts)]
    if not elements:  # a quote was left open, perhaps to hide what the proxy says
        told.append(UNKNOWN)
    clients = {node.host: node for node in told if node is not None}  # Forwarded may know the port
    return set(clients.values())


def forwarded_client(fields: Mapping[str, Sequence[str]], trusts: Callable[[str], bool]) -> Node | None:
    """Return the client's address, if trusted proxies tell one and only one; the parameters are as above."""
    clients = forwarded_clients(fields, trusts)
    return clients.pop() if len(clients) == 1 and UNKNOWN not in clients else None


def _client(chain: Sequence[str | None], trusts: Callable[[str], bool]) -> Node | None:
    """Walk from the nearest proxy to the first address that is not of a trusted one: others may have invented
    what stands before it (RFC 7239 section 8.1)."""
    client = None
    for name in reversed(chain):
        if name is None:
            break
        node = _parse_node(name.strip(" \t"))
        if node is None:
            client = client or UNKNOWN
            break
        client = node
        if not trusts(node.host):
            break
    return client


def _parse_node(text: str) -> Node | None:
    """Parse an address that may have a port; an IPv6 one without brackets, as in X-Forwarded-For, has none."""
    match = _NODE.match(text)
    host, port = (match[1] or match[2], int(match[3] or 0)) if match else (text, 0)
    try:
        address = ip_address(host)
    except ValueError:
        return None
    return Node(str(getattr(address, "ipv4_mapped", None) or address), port) if port < 65536 else None
