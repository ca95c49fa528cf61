"""How long this disk takes to keep something: a question counts as sent only once it is on the disk, so that is what a send waits for.

Standard library only. Measures and says; decides nothing.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from pathlib import Path

TRIES, LONGEST_S = 9, 0.5
# From here on a person notices it, and a rush of questions waits in line.
SLOW_S = 0.02


def commit_seconds(folder: Path) -> float:
    """The median time to write 4 kB and have them on the disk, over a few tries that take half a second at most."""
    took: list[float] = []
    with tempfile.TemporaryFile(dir=folder) as file:
        while len(took) < TRIES and sum(took) < LONGEST_S:
            began = time.monotonic()
            file.write(b"\0" * 4096)
            file.flush()
            os.fsync(file.fileno())
            took.append(time.monotonic() - began)
    return statistics.median(took)


def warning(seconds: float, *, folder: Path) -> str:
    """What a slow disk means for this installation; "" for one that is quick enough."""
    if seconds < SLOW_S:
        return ""
    return (
        f"The disk under {folder} takes {seconds * 1000:.0f} ms to keep a question: about {1 / seconds:.0f} questions a second"
        " can be sent at most, and each send waits that long. DATA_DIR=… moves the data to a faster disk (docs/performance.md)."
    )
