"""One simulator for all tests of this room."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from providers.simulator.process import Simulator, running


@pytest.fixture(scope="session")
def simulator() -> Iterator[Simulator]:
    with running() as found:
        yield found
