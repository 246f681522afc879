"""The composition root: which adapters serve behind the ports, chosen by RuntimeMode, each replaceable by name."""
