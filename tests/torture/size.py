"""How long the torture lasts, and which moments it chooses; see the README here."""

from __future__ import annotations

import os
import random

FACTOR = int(os.environ.get("BFF_TORTURE", "1"))
# The ordinary run takes the same steps each time, a longer one others each time.
SEED = int(os.environ.get("BFF_TORTURE_SEED") or (1 if FACTOR == 1 else random.SystemRandom().randrange(1 << 32)))


def generator() -> random.Random:
    """Return the source of this run's choices; the seed is shown if the test fails."""
    print(f"BFF_TORTURE_SEED={SEED}")
    return random.Random(SEED)
