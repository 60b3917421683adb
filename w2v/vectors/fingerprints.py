"""Recognises the files of a run: summary.json has a fingerprint of each, so that one that comes
from another run, or was changed, is noticed when the run is loaded. It is still used as it is,
since it may have been changed on purpose."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from pathlib import Path

from w2v.settings.config import MAY_CHANGE
from w2v.system.files import read_plain
from w2v.system.json import read_object

KEY = "fingerprints"  # in summary.json
CONFIG, CONFIG_BYTES = "config.yaml", 1 << 20
FILES = (CONFIG, "vocab.tsv", "vectors.npy", "ngrams.npy", "model.safetensors", "tokenizer.json")
BLOCK, BLOCKS = 4096, 64  # bytes; how many of a large file are read
# lines of config.yaml that may differ: comments, where the text is, and what a resumed run changes
PASSED_OVER = ("#", "- ", "corpus:", "engine:", *(f"{name}:" for name in MAY_CHANGE))


def fingerprints(run: Path) -> dict[str, str]:
    """Returns the fingerprint of each file of the run, by name; of a file of vectors, its own."""
    if run.is_file():
        return {run.name: _fingerprint(run)}
    return {name: _fingerprint(run / name) for name in FILES if (run / name).is_file()}


def strangers(run: Path) -> str | None:
    """Returns a sentence about files of the run that are not those it wrote, or None. Runs of
    earlier versions have no fingerprints."""
    with suppress(OSError, ValueError):
        written = read_object(run / "summary.json").get(KEY)
        if isinstance(written, dict):
            now = fingerprints(run)
            if names := [name for name in now if written.get(name, now[name]) != now[name]]:
                said = f"{run}: {' and '.join(names)} {'is' if len(names) == 1 else 'are'} not as"
                return f"{said} the run wrote: unless you changed that, copy the whole run again"
    return None


def _fingerprint(path: Path) -> str:
    """Returns a digest of the size of a file and of blocks from all of it; of config.yaml, of its
    lines."""
    if path.name == CONFIG:
        lines = read_plain(path, CONFIG_BYTES, follow=True).decode(errors="replace").splitlines()
        kept = [line.rstrip() for line in lines if not line.startswith(PASSED_OVER)]
        return hashlib.sha256("\n".join(kept).encode()).hexdigest()[:16]
    size = path.stat().st_size
    digest = hashlib.sha256(str(size).encode())
    with open(path, "rb") as file:
        for start in (*range(0, size, max(BLOCK, size // BLOCKS)), max(0, size - BLOCK)):
            file.seek(start)
            digest.update(file.read(BLOCK))
    return digest.hexdigest()[:16]
