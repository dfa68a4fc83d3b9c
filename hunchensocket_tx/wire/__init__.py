"""The wire protocols, sans-I/O: bytes in, events out. Nothing here imports Twisted, reads a clock or logs."""
