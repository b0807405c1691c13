"""Runs a command in a terminal of its own: terminal.py PATTERN COMMAND...

When PATTERN has been printed it hangs up, as a window does that is closed, and waits for the command to end. Prints what
the command had printed, and exits as it has.
"""

import os
import pty
import re
import sys

pid, terminal = pty.fork()
if pid == 0:
    os.execvp(sys.argv[2], sys.argv[2:])
seen = b""
while not re.search(sys.argv[1].encode(), seen):
    seen += os.read(terminal, 65536)
os.close(terminal)
status = os.waitpid(pid, 0)[1]
sys.stdout.buffer.write(seen)
sys.exit(os.waitstatus_to_exitcode(status))
