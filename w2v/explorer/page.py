"""Assembles a page as one file, from the parts in assets/ and the data, that loads nothing else.

The content security policy in its head forbids all connections, and allows only its own script and
style by their digests, so that no text in a word or a title can ever be executed.
"""

from __future__ import annotations

import base64
import hashlib
import html
import re
from collections.abc import Mapping, Sequence
from importlib import resources
from string import Template

_BYTES = re.compile("[\ud800-\udfff]")  # surrogates, which Python uses for invalid UTF-8
_UNSEEN = re.compile("[\0-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def page(
    template: str,
    *,
    title: str,
    styles: Sequence[str],
    scripts: Sequence[str],
    parts: Mapping[str, str],
) -> bytes:
    """Returns the page: `template` filled with the title, styles, scripts and `parts` (name of a
    $placeholder -> HTML). `template`, `styles` and `scripts` are names of files in assets/."""
    style, script = ("\n".join(map(asset, names)) for names in (styles, scripts))
    policy = (
        f"default-src 'none'; style-src {_digest(style)}; script-src {_digest(script)};"
        " img-src data:; base-uri 'none'; form-action 'none'"
    )
    filled = Template(asset(template)).substitute(
        parts, title=text(title), policy=policy, style=style, script=script
    )
    return filled.encode()


def asset(name: str) -> str:
    """Returns the text of a file in assets/."""
    return resources.files("w2v.explorer").joinpath("assets", name).read_text("utf-8")


def text(value: object) -> str:
    """Escapes a value for HTML text or attributes. Control characters, and those that change the
    writing direction, become visible codes."""
    return html.escape(_UNSEEN.sub(lambda match: f"[U+{ord(match[0]):04X}]", clean(value)))


def clean(value: object) -> str:
    """Returns the value as a string that UTF-8 can represent: surrogates become U+FFFD."""
    return _BYTES.sub("\N{REPLACEMENT CHARACTER}", str(value))


def in_base64(data: bytes) -> str:
    """Returns bytes in base64, which needs no escaping in HTML."""
    return base64.b64encode(data).decode("ascii")


def _digest(source: str) -> str:
    return f"'sha256-{in_base64(hashlib.sha256(source.encode()).digest())}'"
