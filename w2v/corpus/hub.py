"""Texts on the Hugging Face hub, streamed by `datasets`. The network is used only for corpora with
an address of this form:

    hf://datasets/NAME[:CONFIG][@REVISION]/SPLIT[#COLUMN]
    hf://datasets/Salesforce/wikitext:wikitext-2-raw-v1/train#text
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from w2v.errors import InputError, RunError
from w2v.system.files import HUB
from w2v.system.packages import reporting_missing

FORM = "hf://datasets/NAME[:CONFIG]/SPLIT#COLUMN"
ADDRESS = re.compile(
    r"hf://datasets/([^/:@#]+(?:/[^/:@#]+)?)(?::([^/@#]+))?(?:@([^/#]+))?/([^/#]+)(?:#(.+))?"
)
COMMIT = re.compile(r"[0-9a-f]{40}")
LONGEST = 300  # characters of a library's message
NETWORK = ("ConnectionError", "HTTPError", "HfHubHTTPError", "TimeoutError", "gaierror")
MISSING = ("RepositoryNotFoundError", "DatasetNotFoundError")


class Address(NamedTuple):
    """The parts of an address; `revision` is a commit, a branch or a tag."""

    name: str
    config: str | None
    revision: str | None
    split: str
    column: str | None

    def __str__(self) -> str:
        signs = (("", self.name), (":", self.config), ("@", self.revision))
        path = "".join(sign + part for sign, part in signs if part)
        return f"{HUB}datasets/{path}/{self.split}{f'#{self.column}' if self.column else ''}"


def pinned(entry: str) -> str:
    """Returns a hub address pinned to its current newest commit. Anything else, and an address that
    names a commit, is returned unchanged. Raises InputError if the data set does not exist,
    RunError if the hub cannot be reached."""
    if not entry.startswith(HUB):
        return entry
    address = parsed(entry)
    if address.revision and COMMIT.fullmatch(address.revision):
        return entry
    with reporting_missing():
        import datasets  # noqa: F401  # needed later: fail now if it is not installed
        from huggingface_hub import HfApi
    with reporting_hub_errors(entry):
        commit = HfApi().dataset_info(address.name, revision=address.revision, timeout=30).sha
        return str(address._replace(revision=str(commit)))


def parsed(entry: str) -> Address:
    """Returns the parts of an address. Raises InputError if `entry` is not one."""
    if match := ADDRESS.fullmatch(entry):
        return Address(*match.groups())
    raise InputError(f"{entry} is not an address of a data set: write {FORM}")


@contextmanager
def reporting_hub_errors(entry: str) -> Iterator[None]:
    """Turns the errors of the hub's libraries into InputError or RunError."""
    try:
        yield
    except (InputError, RunError):
        raise
    except Exception as error:
        kinds = [kind.__name__ for kind in type(error).__mro__]
        reason = " ".join(str(error).split()).rstrip(".") or kinds[0]
        if "GatedRepoError" in kinds or "gated dataset" in reason:
            remedy = "accept its terms on the hub, then log in with hf auth login"
            raise InputError(f"{entry} is gated: {remedy}") from None
        if any(kind in MISSING for kind in kinds):
            remedy = f"or it is private (log in with hf auth login); addresses are {FORM}"
            raise InputError(f"{entry}: no such data set, {remedy}") from None
        reason = reason if len(reason) < LONGEST else f"{reason[:LONGEST]}…"
        if any(kind in NETWORK for kind in kinds):
            problem = f"{entry} cannot be read from the hub: {reason}"
            raise RunError(f"{problem}; is there a network?") from None
        raise InputError(f"{entry} cannot be read: {reason}") from None
