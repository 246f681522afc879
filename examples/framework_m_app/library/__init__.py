"""An app that keeps books and lends them."""

app = object()
