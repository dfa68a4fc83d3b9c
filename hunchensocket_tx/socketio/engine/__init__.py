"""Sessions of Engine.IO 3 and 4, and the transports they use."""
