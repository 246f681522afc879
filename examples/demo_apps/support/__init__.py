"""Tickets of customers. It has no revisions: its tables follow its models."""
