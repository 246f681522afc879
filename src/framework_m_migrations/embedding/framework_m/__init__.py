"""Framework M as the host program: what its plug-in points load.

Only the modules of this package, and adapters.doctypes.framework_m, import the host; nothing of the core imports them.
Each stays quick to import, because the host imports every plug-in for every command.
"""
