"""Sessions of protocol 1, which the clients of socket.io 0.7 to 0.9 speak, and their transports."""
