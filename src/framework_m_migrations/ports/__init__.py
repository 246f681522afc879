"""What the core asks of the world, one Protocol a file.

Docstrings state obligations; framework_m_migrations.testing has the contract suite that holds an adapter to them.
"""
