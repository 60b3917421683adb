"""Opens the MODEL argument, which several verbs have: a run directory, a vector file, or - for vectors on stdin."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from w2v.cli.output import is_terminal, say
from w2v.errors import InputError

if TYPE_CHECKING:
    from w2v.vectors import WordVectors


def open_model(model: str, *, limit: int | None = None, encoding_errors: str = "strict") -> WordVectors:
    """The words and vectors that `model` names.

    Raises:
        InputError: there are none, or the file is damaged; or stdin is a terminal.
    """
    from w2v.vectors import load_vectors

    if encoding_errors not in ("strict", "replace"):
        raise InputError(f"--encoding-errors {encoding_errors} is not one of strict, replace")
    path = model
    if model == "-":
        if sys.stdin is None:
            raise InputError("MODEL - reads vectors from stdin, which is closed; name a file, or pipe one in")
        if is_terminal(sys.stdin):
            raise InputError("MODEL - reads vectors from stdin, which is a terminal; name a file, or pipe one in")
        path = "/dev/stdin"
    vectors = load_vectors(path, limit=limit, encoding_errors=encoding_errors)
    for warning in vectors.warnings:
        say(f"warning: {warning}")
    return vectors
