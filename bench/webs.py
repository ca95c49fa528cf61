"""Several web processes on one port, for bench/run.sh: one listening socket, handed to each (LISTEN_FD). Restarts nothing."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys


def main(port: int, count: int) -> int:
    """Starts them, waits for SIGTERM, ends them."""
    listener = socket.create_server(("127.0.0.1", port), backlog=1024)
    listener.set_inheritable(True)
    given = os.environ | {"LISTEN_FD": str(listener.fileno())}
    command = [sys.executable, "-m", "portal.server"]
    webs = [subprocess.Popen(command, env=given, pass_fds=[listener.fileno()]) for _ in range(count)]

    def leave(signum: int, frame: object) -> None:
        for web in webs:
            web.terminate()

    signal.signal(signal.SIGTERM, leave)
    return max(web.wait() for web in webs)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2])))
