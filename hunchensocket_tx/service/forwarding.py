"""Forwarding: WebSockets that are bridged to another service, in place of a handler."""

from __future__ import annotations

from twisted.python import usage

from hunchensocket_tx.cascade import Dispatcher
from hunchensocket_tx.forward_tokens import ForwardTokens
from hunchensocket_tx.forwarding import forward
from hunchensocket_tx.service.serving import ServeOptions

__all__ = ["ForwardOptions"]


class ForwardOptions(ServeOptions):
    """Options of what is served, with those of targets to forward WebSockets to."""

    optParameters = [  # noqa: N815
        [
            "forward",
            None,
            None,
            "Bridge WebSockets to a target: host:port, or an endpoint, say unix:/run/vnc.sock",
        ],
        [
            "forward-tokens",
            None,
            None,
            "File (or folder of files) with lines 'token: target', to bridge WebSockets to the target of the "
            "token that is the last part of the path, or token=... in the query",
        ],
        [
            "forward-timeout",
            None,
            None,
            "Seconds for connecting to a target, and in the end for it to take the rest [default: 15]",
        ],
    ]

    setting_options = {
        **ServeOptions.setting_options,
        "target": "forward",
        "tokens": "forward-tokens",
        "timeout": "forward-timeout",
    }

    def __init__(self) -> None:
        super().__init__()
        self["forward-subprotocol"] = []

    def opt_forward_subprotocol(self, name: str) -> None:
        """Agree on this subprotocol, which the target speaks, say mqtt; may be repeated."""
        self["forward-subprotocol"].append(name)

    def make_dispatcher(self) -> Dispatcher | None:
        """Return the bridge, if targets are named, in place of a handler."""
        sources = [f"--{name}" for name in ("handler", "forward", "forward-tokens") if self[name] is not None]
        if len(sources) > 1:
            raise usage.UsageError(f"{' and '.join(sources)}: each says what is served; give one of them")
        target, tokens = self["forward"], self["forward-tokens"]
        timeout = self.number("forward-timeout", float, "a number of seconds")
        if target is None and tokens is None:
            for name in ("forward-timeout", "forward-subprotocol"):
                if self[name]:
                    raise usage.UsageError(f"--{name}: it is for --forward or --forward-tokens; give one, too")
            return super().make_dispatcher()
        changes = {} if timeout is None else {"timeout": timeout}
        return self.named(
            lambda: forward(
                target if tokens is None else ForwardTokens(tokens),
                subprotocols=self["forward-subprotocol"],
                **changes,
            )
        )
