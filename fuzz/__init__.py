"""Fuzz targets for the codecs and the handshake; README.rst tells how to run them."""
