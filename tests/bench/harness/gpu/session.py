"""All that is measured on the day a GPU is there, within eight minutes, each part in a process of
its own that is ended when its time is up. What fails is written down like what does not."""

from __future__ import annotations

import json
import os
import platform
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from harness.gpu.corpus import write_corpus
from harness.gpu.parts import SECONDS, Asked
from harness.machine import machine
from harness.process import own_environment
from w2v.errors import InputError
from w2v.system.files import atomic_file

BENCH = Path(__file__).parents[2]
ROOT = BENCH.parents[1]
TEST_SECONDS = 130
TESTS_HOME = "W2V_TESTS_HOME"  # of the tests that this may be part of: those here have their own
TINY_LINES = 24  # of the demo corpus: a hundred words
ROWS_PER_WORD = 7  # of skip-gram with 5 noise words: a context row, the target's, the noise words'
FIGURE = dict[str, Any]


def versions() -> dict[str, str | None]:
    """Of what the figures depend on.

    Raises:
        InputError: Triton is missing.
    """
    import torch

    try:
        import triton
    except ImportError as error:
        what = "Triton is not installed: PyTorch for CUDA brings it, or pip install triton"
        raise InputError(what) from error
    return {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "cuda": torch.version.cuda,
        "triton": triton.__version__,
    }


def find_gpu() -> dict[str, Any]:
    """The first GPU.

    Raises:
        InputError: there is none.
    """
    import torch

    if not torch.cuda.is_available():
        what = "PyTorch finds no GPU with CUDA here: nothing to measure"
        raise InputError(f"{what} (to rehearse on the CPU: make gpu REHEARSE=1)")
    found = torch.cuda.get_device_properties(0)
    return {
        "gpu": found.name,
        "capability": f"{found.major}.{found.minor}",
        "multiprocessors": found.multi_processor_count,
        "gpu_memory_bytes": found.total_memory,
    }


def measure(asked: Asked, output: Path, speak: Callable[[str], None]) -> dict[str, Any]:
    """Tests and measures; the results are on disk after every part."""
    began = time.monotonic()
    results: dict[str, Any] = {
        "bench": "gpu",
        "rehearsal": asked.tiny,
        "machine": machine() | ({} if asked.tiny else find_gpu()),
        "versions": versions(),
        "corpus": asked.corpus or "20 million words made from the demo corpus",
        "tests": None,
        "figures": [],
    }

    def save() -> None:
        results["seconds"] = round(time.monotonic() - began, 1)
        with atomic_file(output) as file:
            file.write((json.dumps(results, indent=1) + "\n").encode())

    save()
    with tempfile.TemporaryDirectory(prefix="w2v-gpu-") as folder:
        environment = {**own_environment(), "W2V_CACHE_DIR": str(Path(folder) / "cache")}
        environment["PYTHONPATH"] += os.pathsep + str(BENCH)
        if asked.tiny:
            environment |= {"TRITON_INTERPRET": "1", "OMP_NUM_THREADS": "1"}
        speak("tests")
        results["tests"] = run_tests(asked, environment, Path(folder))
        speak(results["tests"]["summary"])
        save()
        if not asked.corpus:
            speak("making a text")
            made = Path(folder) / "made.txt"
            write_corpus(made, TINY_LINES if asked.tiny else None)
            asked = replace(asked, corpus=str(made))
        for parts in [[*SECONDS]] if asked.tiny else [[part] for part in SECONDS]:
            for figure in run_parts(parts, asked, environment):
                speak(_line(figure))
                results["figures"].append(figure)
            save()
    results["bound"] = bound(results["figures"])
    save()
    return results


def run_tests(asked: Asked, environment: Mapping[str, str], folder: Path) -> FIGURE:
    """The tests marked gpu, and those of all losses on its tensors."""
    command = [sys.executable, "-m", "pytest", "-q", "-rf", "-p", "no:cacheprovider"]
    command += ["-m", "", "-k", "not cpu", f"--basetemp={folder / 'tests'}"]
    command += ["tests/gpu/on_gpu"]
    if not asked.tiny:
        command += ["tests/losses/test_every_loss.py"]
    lines, why = _lines(command, environment, TEST_SECONDS, 1)
    failed = [line.split(" ", 1)[1] for line in lines if line.startswith(("FAILED", "ERROR"))]
    summaries = [line for line in lines if re.search(r"\d+ (passed|failed|error)", line)]
    summary = why or (summaries[-1] if summaries else lines[-1] if lines else "no output")
    passed = not failed and why is None and "passed" in summary
    return {"passed": passed, "summary": summary.strip("= "), "failed": failed}


def run_parts(parts: list[str], asked: Asked, environment: Mapping[str, str]) -> list[FIGURE]:
    """The figures of some parts, and an error in the place of those that did not come."""
    command = [sys.executable, "-m", "harness.gpu.parts", json.dumps(asdict(asked)), *parts]
    lines, why = _lines(command, environment, sum(SECONDS[part] for part in parts))
    found = [json.loads(line) for line in lines if line.startswith('{"name"')]
    if why is not None:
        found.append({"name": f"the rest of {', '.join(parts)}", "error": why})
    return found


def _lines(
    command: list[str], environment: Mapping[str, str], seconds: float, *ends: int
) -> tuple[list[str], str | None]:
    """The lines that a program prints, and why it did not come to its end, which has the exit code
    0 or one of `ends`."""
    inherited = {**os.environ, **environment}
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env={name: value for name, value in inherited.items() if name != TESTS_HOME},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        start_new_session=True,
    )
    assert process.stdout is not None
    late = threading.Event()

    def end() -> None:
        late.set()
        os.killpg(process.pid, signal.SIGKILL)

    clock = threading.Timer(seconds, end)
    clock.start()
    try:
        lines = [line.rstrip("\n") for line in process.stdout]
        status = process.wait()
    except BaseException:
        os.killpg(process.pid, signal.SIGKILL)
        raise
    finally:
        clock.cancel()
    if late.is_set():
        return lines, f"ended after its {seconds:g} s"
    if status in (0, *ends):
        return lines, None
    said = next((line.strip() for line in reversed(lines) if line.strip()), "no output")
    return lines, f"exit code {status}: {said[:300]}"


def bound(figures: list[FIGURE]) -> FIGURE | None:
    """Trained words per second if the kernel did nothing but gather rows and add to them, at the
    rate measured; and the share of it that the best kernel has reached."""
    rows = [each for each in figures if each["name"] == "rows: gather and add, words, dim 100"]
    trained = [
        each["trained_per_second"]
        for each in figures
        if each["name"].startswith("kernel: neg skip-gram") and "trained_per_second" in each
    ]
    if not rows or "value" not in rows[0] or not trained:
        return None
    most = rows[0]["value"] / ROWS_PER_WORD
    return {"trained_per_second": most, "reached": max(trained) / most}


def failures(results: Mapping[str, Any]) -> list[str]:
    """What did not work, for people."""
    found = [] if results["tests"]["passed"] else [f"tests: {results['tests']['summary']}"]
    found += results["tests"]["failed"]
    found += [f"{each['name']}: {each['error']}" for each in results["figures"] if "error" in each]
    return found


def _line(figure: FIGURE) -> str:
    if "error" in figure:
        return f"{figure['name']}: {figure['error']}"
    return f"{figure['name']}: {figure['value']:.4g} {figure['unit']}"
