"""``python -m hunchensocket_tx URL``: see :mod:`hunchensocket_tx.cli`."""

import sys

from hunchensocket_tx.cli import main

if __name__ == "__main__":
    sys.exit(main())
