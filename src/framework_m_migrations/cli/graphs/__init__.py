"""Formats of graphs; each module has ``render(graph) -> str``."""
