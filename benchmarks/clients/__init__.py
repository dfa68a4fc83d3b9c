"""Clients to compare: each is one short file, which echoes through a server that is told to it."""
