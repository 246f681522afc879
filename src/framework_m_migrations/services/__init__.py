"""The engine's logic over ports: what to do, in which order, under which lock. Synchronous and free of technology."""
