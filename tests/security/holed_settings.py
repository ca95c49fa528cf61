"""The product's settings with other templates in front: for a test that plants a hole in one of them. Tests only."""

from __future__ import annotations

import os

from portal.settings import *  # noqa: F403
from portal.settings import TEMPLATES

TEMPLATES[0]["DIRS"] = [os.environ["HOLED_TEMPLATES"]]
