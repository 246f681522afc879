"""Facades for host programs: the same commands for scripts (sync) and for event loops (aio)."""
