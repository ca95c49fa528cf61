"""`python -m providers.simulator`: runs until SIGTERM or Ctrl-C. Needs no Django and no settings."""

import argparse
import asyncio
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from providers.simulator.server import serve

LOOP: Callable[[], asyncio.AbstractEventLoop] | None
try:
    from uvloop import new_event_loop as LOOP
except ImportError:  # the simulator also runs on bare Python
    LOOP = None


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m providers.simulator", description="An OpenAI-compatible simulator")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free port")
    parser.add_argument("--port-file", type=Path, help="the port is written here once it listens")
    parser.add_argument("--journal", type=Path, help="the bill: one line per request and one per end")
    parser.add_argument("--key", default="", help="refuse every other bearer key")
    parser.add_argument("--keep-prompts", action="store_true", help="the journal keeps whole requests (tests only)")
    return parser.parse_args()


async def _run(arguments: argparse.Namespace) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    server = await serve(
        host=arguments.host,
        port=arguments.port,
        journal=arguments.journal,
        key=arguments.key,
        keep_prompts=arguments.keep_prompts,
    )
    if arguments.port_file:
        _write_port(arguments.port_file, port=server.port)
    sys.stderr.write(f"simulator: http://{arguments.host}:{server.port}/v1\n")
    await stop.wait()
    await server.close()


def _write_port(path: Path, *, port: int) -> None:
    """In one step, so that nobody reads half a number."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.write_text(str(port))
    draft.replace(path)


def main() -> int:
    """Run; returns the exit status."""
    arguments = _arguments()
    try:
        with asyncio.Runner(loop_factory=LOOP) as runner:
            runner.run(_run(arguments))
    except OSError as error:
        sys.stderr.write(f"simulator: cannot listen on {arguments.host}:{arguments.port}: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
