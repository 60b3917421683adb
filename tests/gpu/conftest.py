"""Tests of the GPU code that need no GPU. Triton decides when it is imported whether it interprets
or compiles, so these files are collected only where TRITON_INTERPRET=1 asks for its interpreter:
`make test-gpu-code` does."""

from __future__ import annotations

import os

INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"
collect_ignore_glob = [] if INTERPRETED else ["test_*.py"]
