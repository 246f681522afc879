"""One module a command. Each use case is a generator over a Session (domain/effects.py)."""
