"""Where the lines of metrics.jsonl go while a run trains: into that file, where the run's directory
is there already, and to TensorBoard, if `tensorboard` names a folder.

Neither can end a run: what cannot be written is told once, and the file is written whole at the end
in any case.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from time import time
from typing import Any, Protocol

from w2v.errors import InputError, RunError
from w2v.runs.directory import metrics_lines
from w2v.training.report import Reporter

Lines = Sequence[dict[str, Any]]


class Sink(Protocol):
    what: str  # for messages

    def write(self, lines: Lines) -> None: ...

    def close(self) -> None: ...


class Feed:
    """Gives each of a run's lines once to the sinks; `told`: how many they have had already, from
    an earlier process."""

    def __init__(self, sinks: Sequence[Sink], told: int, reporter: Reporter) -> None:
        self._sinks, self._told, self._reporter = list(sinks), told, reporter

    def __call__(self, metrics: Lines) -> None:
        """Hands on what has come since; called by the run's own thread alone."""
        lines = metrics[self._told :]
        self._told += len(lines)
        for sink in list(self._sinks) if lines else ():
            try:
                sink.write(lines)
            except OSError as error:
                self._sinks.remove(sink)
                why = error.strerror or error
                self._reporter.warn(f"{sink.what} cannot be written any more: {why}")

    def close(self) -> None:
        for sink in self._sinks:
            with suppress(OSError):
                sink.close()
        self._sinks = []


class File:
    """metrics.jsonl, which always ends with a whole line."""

    def __init__(self, path: Path) -> None:
        self.what, self._path = str(path), path

    def write(self, lines: Lines) -> None:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            descriptor = os.open(self._path, flags, 0o666)
        except FileNotFoundError:  # somebody has removed the directory; the end makes it again
            return
        try:
            size, data = os.fstat(descriptor).st_size, metrics_lines(lines)
            try:
                complete = os.write(descriptor, data) == len(data)
            except OSError:
                complete = False
            if not complete:  # the disk is full
                os.ftruncate(descriptor, size)
                raise OSError(None, "the lines do not fit on the disk")
        finally:
            os.close(descriptor)

    def close(self) -> None:
        pass


class TensorBoard:
    """The numbers of every line under their names, over the words that were read, by TensorBoard's
    own writer. `earlier`: the lines of a run that goes on, None for a new one; they are written
    again in the place of all that its other process wrote, which may be less, or more."""

    def __init__(self, folder: str, earlier: Lines | None) -> None:
        # no requirement of w2v; the one of torch.utils.tensorboard slows the training by 2 %
        from tensorboard.compat.proto import event_pb2, summary_pb2
        from tensorboard.summary.writer.event_file_writer import EventFileWriter

        self.what, self._words = f"`tensorboard` {folder}", 0
        self._event, self._summary = event_pb2.Event, summary_pb2.Summary
        try:
            self._writer = EventFileWriter(folder)
            if earlier is not None:  # readers drop what they have read of the steps from 0 on
                start = event_pb2.SessionLog(status=event_pb2.SessionLog.START)
                self._writer.add_event(self._event(step=0, wall_time=time(), session_log=start))
            self.write(earlier or ())
        except OSError as error:
            raise RunError(f"{self.what} cannot be written: {error.strerror or error}") from None

    def write(self, lines: Lines) -> None:
        value_of = self._summary.Value
        for line in lines:
            # a measurement of the validation text does not say how many words were read before
            self._words = line.get("words", self._words)
            numbers = {
                name: value
                for name, value in line.items()
                if isinstance(value, (int, float)) and name != "words"
            }
            values = [value_of(tag=name, simple_value=value) for name, value in numbers.items()]
            summary = self._summary(value=values)
            self._writer.add_event(self._event(step=self._words, wall_time=time(), summary=summary))
        self._writer.flush()

    def close(self) -> None:
        self._writer.close()


def check_tensorboard(folder: str | None) -> None:
    """Refuses a folder that cannot be made, and one where what writes is not installed."""
    if folder is None:
        return
    if find_spec("tensorboard") is None:
        remedy = "pip install tensorboard, or leave it out"
        raise RunError(f"`tensorboard` {folder} needs the package tensorboard: {remedy}")
    try:
        os.makedirs(folder, exist_ok=True)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise InputError(f"`tensorboard` {folder} cannot be used: {why}; name a folder") from None
