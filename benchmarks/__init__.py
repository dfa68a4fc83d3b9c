"""Benchmarks, of this package and side by side with others; README.rst tells how to run them."""
