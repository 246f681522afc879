"""How long the engine takes, beside what people would use without it. See README.md."""
