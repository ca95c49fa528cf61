"""The simulator as a process of its own, for tests and drills: start, wait for its port, stop. Talks no HTTP."""

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

START_S = 15.0
STOP_S = 5.0
ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Simulator:
    """A running simulator process; `base_url` ends in /v1, as OPENAI_BASE_URL wants it."""

    port: int
    pid: int
    journal: Path
    host: str = "127.0.0.1"

    @property
    def origin(self) -> str:
        """Where /health and /stats live."""
        return f"http://{self.host}:{self.port}"

    @property
    def base_url(self) -> str:
        """The address for an OpenAI client."""
        return f"{self.origin}/v1"


@contextmanager
def running(*, journal: Path | str | None = None, key: str = "", keep_prompts: bool = False) -> Iterator[Simulator]:
    """Start `python -m providers.simulator` on a free port and stop it afterwards.

    Without `journal` it writes one into a folder that goes away. Raises RuntimeError when it does not start in 15 s.
    """
    with tempfile.TemporaryDirectory(prefix="simulator-") as folder:
        book = Path(journal) if journal else Path(folder) / "journal.jsonl"
        port_file = Path(folder) / "port"
        command = [sys.executable, "-m", "providers.simulator", "--port", "0"]
        command += ["--journal", str(book.resolve()), "--port-file", str(port_file)]
        command += ["--key", key] if key else []
        command += ["--keep-prompts"] if keep_prompts else []
        process = subprocess.Popen(command, cwd=ROOT)  # noqa: S603  # our own module, no shell
        try:
            yield Simulator(port=_port(process, port_file), pid=process.pid, journal=book)
        finally:
            _stop(process)


def _port(process: subprocess.Popen[bytes], port_file: Path) -> int:
    limit = time.monotonic() + START_S
    while time.monotonic() < limit:
        if port_file.exists():
            return int(port_file.read_text())
        if process.poll() is not None:
            raise RuntimeError(f"the simulator ended with status {process.returncode}")
        time.sleep(0.01)
    raise RuntimeError(f"the simulator did not start in {START_S:.0f} s")


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
