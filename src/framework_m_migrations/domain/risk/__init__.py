"""How dangerous a change is, and why one is withheld."""
