"""A page that is one file: its parts from assets/ put together, the data inside, nothing to load.

The policy in its head forbids every connection, and names the only script and style by their
digests, so that nothing that a word or a title holds could ever run.
"""

from __future__ import annotations

import base64
import hashlib
import html
import re
from collections.abc import Mapping, Sequence
from importlib import resources
from string import Template

_BYTES = re.compile("[\ud800-\udfff]")  # how Python holds bytes that were no UTF-8
_UNSEEN = re.compile("[\0-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def page(
    template: str,
    *,
    title: str,
    styles: Sequence[str],
    scripts: Sequence[str],
    parts: Mapping[str, str],
) -> bytes:
    """Returns the page that `template` becomes with the title, styles and scripts, all but the
    title the names of files in assets/, and with `parts`, HTML by the name of its $placeholder."""
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
    """Returns HTML that shows the value as it stands, also as an attribute; control characters and
    those that turn the direction of writing as visible codes."""
    return html.escape(_UNSEEN.sub(lambda found: f"[U+{ord(found[0]):04X}]", clean(value)))


def clean(value: object) -> str:
    """Returns the value as a text that UTF-8 can hold: U+FFFD for bytes that were none."""
    return _BYTES.sub("\N{REPLACEMENT CHARACTER}", str(value))


def in_base64(data: bytes) -> str:
    """Returns bytes as text that can stand anywhere."""
    return base64.b64encode(data).decode("ascii")


def _digest(source: str) -> str:
    return f"'sha256-{in_base64(hashlib.sha256(source.encode()).digest())}'"
