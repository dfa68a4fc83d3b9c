"""The wire formats of all generations of Socket.IO, sans I/O: text and bytes in, packets out, and back."""
