"""Shared by all tests."""

from __future__ import annotations

import signal

# In a background job of a non-interactive shell Ctrl-C is ignored, and so it is in every process started from there;
# w2v respects that. Tests of Ctrl-C need the usual state of things.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
