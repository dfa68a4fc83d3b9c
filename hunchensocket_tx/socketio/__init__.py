"""A server for the clients of socket.io, from 0.7 to 4.x."""
