"""Frozen values and pure rules of schema change. Imports nothing but the standard library."""
