"""Real applications from PyPI: their MetaData through sync, their databases through adoption."""
