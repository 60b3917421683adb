"""The fixtures of real runs."""

from tests.trained import folder, own_cache, polled, train, zipf_lines  # noqa: F401
