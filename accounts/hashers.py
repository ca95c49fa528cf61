"""Password hashing: Argon2 with a memory cost that a small machine can pay, and few at a time."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from django.contrib.auth.hashers import Argon2PasswordHasher

# Two threads of their own, not two places for any thread: the allocator keeps the last 19 MiB of each thread that
# ever hashed (20 sign-ins at once left 180 MB with eight web threads, 40 MB with these two).
_two = ThreadPoolExecutor(max_workers=2, thread_name_prefix="hash")


class Argon2(Argon2PasswordHasher):
    """m = 19 MiB, t = 2, p = 1; at most two hashes at once per process (the defaults took ten sign-ins to 1 GB)."""

    time_cost = 2
    memory_cost = 19_456
    parallelism = 1

    def encode(self, password: str, salt: str) -> str:
        return _two.submit(super().encode, password, salt).result()

    def verify(self, password: str, encoded: str) -> bool:
        return _two.submit(super().verify, password, encoded).result()
