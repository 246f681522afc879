"""``m-migrate`` for the shell of a test: has the command forked where all is imported, see tests/cli/_server.py."""

import json
import os
import socket
import sys
from pathlib import Path

with socket.socket(socket.AF_UNIX) as line:
    line.connect(os.environ["M_MIGRATE_SERVER"])
    request = {
        "arguments": sys.argv[1:],
        "cwd": str(Path.cwd()),
        "env": {name: value for name, value in os.environ.items() if name != "M_MIGRATE_SERVER"},
        "streams": [f"/proc/{os.getpid()}/fd/{number}" for number in range(3)],
    }
    line.sendall(json.dumps(request).encode() + b"\n")
    answer = line.makefile().readline()
code = int(answer or 71)
sys.exit(code if code >= 0 else 128 - code)
