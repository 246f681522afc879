"""The DocTypes of the library."""
