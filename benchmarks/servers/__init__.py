"""One small server for each library: ``python -m benchmarks.servers.NAME PORT echo|broadcast``."""
