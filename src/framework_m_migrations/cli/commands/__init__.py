"""The commands themselves: parse nothing, decide nothing about schemas; call the manager and show its result."""
