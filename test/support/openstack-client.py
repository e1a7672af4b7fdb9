# Runs commands of OpenStack's client, one after the other in one process: its start costs a second, a command a tenth.
# A line in: the words of a command, as a JSON list. A line out: its exit code, stdout and stderr.
import contextlib
import io
import json
import logging
import sys

import octaviaclient.osc.plugin  # noqa: F401  its absence is found out here, not by the first command
from openstackclient import shell

print("ready", flush=True)
for line in sys.stdin:
    out, err = io.StringIO(), io.StringIO()
    # Every run of the shell adds a handler, bound to the stderr of its time.
    logging.getLogger().handlers.clear()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = shell.main(json.loads(line))
        except SystemExit as ended:
            code = ended.code
    print(json.dumps([code, out.getvalue(), err.getvalue()]), flush=True)
