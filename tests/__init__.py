"""The test suite; ``trial tests`` runs it."""
