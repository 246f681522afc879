"""Stand-ins for the tests of the services, which need no database."""
