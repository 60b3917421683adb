"""How the command line says what the library says: settings as options.

The library names a setting `min_count`; here it is --min-count, and `corpus` is CORPUS.
"""

from __future__ import annotations

import re

_SETTING = re.compile(r"`([a-z][a-z0-9_]*)`")


def as_options(message: str) -> str:
    """Returns the message with every `setting` as the option that a command line knows it by."""
    # what a run can be gone on with is worth a whole command
    message = re.sub("(?<!w2v train): `resume` ", ": w2v train --resume ", message)
    return _SETTING.sub(lambda found: option(found[1]), message)


def option(name: str) -> str:
    """Returns the option of a setting: "--min-count" of "min_count", CORPUS of "corpus"."""
    return {"corpus": "CORPUS", "runs": "RUN"}.get(name, "--" + name.replace("_", "-"))
