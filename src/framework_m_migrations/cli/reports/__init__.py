"""Results as documents for people; one module a group of commands. JSON comes from the results' own ``to_dict``."""
