"""The outside world: one package for each technology, each behind the same ports."""
