"""What ``twistd hunchensocket`` runs: its options, by subject, and the services made of them."""

from hunchensocket_tx.service.making import makeService
from hunchensocket_tx.service.options import Options

__all__ = ["Options", "makeService"]
