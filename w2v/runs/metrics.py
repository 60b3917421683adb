"""Writes the lines of metrics.jsonl while a run trains: to that file, if the run's directory
already exists, and for TensorBoard, if `tensorboard` names a folder.

Neither can end a run: a failure to write causes one warning, and the file is written as a whole at
the end in any case.
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
    what: str  # its name in messages

    def write(self, lines: Lines) -> None: ...

    def close(self) -> None: ...


class Feed:
    """Passes each of a run's lines once to the sinks; `told`: how many they already have from an
    earlier process."""

    def __init__(self, sinks: Sequence[Sink], sent: int, reporter: Reporter) -> None:
        self._sinks, self._sent, self._reporter = list(sinks), sent, reporter

    def __call__(self, metrics: Lines) -> None:
        """Passes on the lines added since the last call; must be called by the run's thread."""
        lines = metrics[self._sent :]
        self._sent += len(lines)
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
    """metrics.jsonl, which always ends with a complete line."""

    def __init__(self, path: Path) -> None:
        self.what, self._path = str(path), path

    def write(self, lines: Lines) -> None:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            descriptor = os.open(self._path, flags, 0o666)
        except FileNotFoundError:  # the directory was removed; it is created again at the end
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
    """Writes the numbers of each line under their names, by words read, with TensorBoard's own
    writer. `earlier`: the lines of a resumed run, None for a new one. They are written again in
    place of everything its earlier process wrote, which may be less or more."""

    def __init__(self, folder: str, earlier: Lines | None) -> None:
        # not a requirement of w2v; torch.utils.tensorboard would slow down training by 2 %
        from tensorboard.compat.proto import event_pb2, summary_pb2
        from tensorboard.summary.writer.event_file_writer import EventFileWriter

        self.what, self._words = f"`tensorboard` {folder}", 0
        self._event, self._summary = event_pb2.Event, summary_pb2.Summary
        try:
            self._writer = EventFileWriter(folder)
            if earlier is not None:  # makes readers drop everything from step 0 on
                start = event_pb2.SessionLog(status=event_pb2.SessionLog.START)
                self._writer.add_event(self._event(step=0, wall_time=time(), session_log=start))
            self.write(earlier or ())
        except OSError as error:
            raise RunError(f"{self.what} cannot be written: {error.strerror or error}") from None

    def write(self, lines: Lines) -> None:
        value_of = self._summary.Value
        for line in lines:
            # lines of a validation measurement do not have the number of words read
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
    """Raises InputError if the folder cannot be made or the package for it is not installed."""
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
