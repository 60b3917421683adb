"""Starts one program and writes "seconds, CPU seconds, peak memory in kilobytes, exit
status" to a file. A script, run by `process`.

    python -I -S launch.py RESULT PROGRAM ARGUMENTS...

A process of its own, because Linux counts the memory that the starting process ever had into the
peak memory of the one it starts: the launcher must be small, which a process that evaluates vectors
is not. It imports nothing but built-ins. The peak is that of the program or of the largest process
that it started and waited for.
"""

import os
import sys
import time

NOT_STARTED = 127  # what a shell says of a program that cannot be started


def main() -> None:
    result, *command = sys.argv[1:]
    start = time.perf_counter()
    try:
        pid = os.posix_spawnp(command[0], command, os.environ)
    except OSError as error:
        print(f"{command[0]}: {error.strerror}", file=sys.stderr)
        seconds, cpu, kilobytes, status = 0.0, 0.0, 0, NOT_STARTED
    else:
        _, wait_status, usage = os.wait4(pid, 0)
        seconds = time.perf_counter() - start
        cpu = usage.ru_utime + usage.ru_stime
        kilobytes = usage.ru_maxrss // (1024 if sys.platform == "darwin" else 1)
        status = os.waitstatus_to_exitcode(wait_status)
    with open(result, "w") as file:
        file.write(f"{seconds} {cpu} {kilobytes} {status}\n")


if __name__ == "__main__":
    main()
