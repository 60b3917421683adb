"""Print a script for a shell that completes verbs, options and their values.

\b
  w2v completion bash >> ~/.bashrc
  w2v completion zsh >> ~/.zshrc                      # after compinit
  w2v completion fish > ~/.config/fish/completions/w2v.fish
"""

from __future__ import annotations

from typing import Annotated

from typer import Argument

from w2v.cli.output import print_line
from w2v.errors import InputError

VARIABLE = "_W2V_COMPLETE"  # set by the scripts to request completions
SHELLS = ("bash", "zsh", "fish")


def command(
    shell: Annotated[str, Argument(metavar="bash|zsh|fish", autocompletion=lambda: [*SHELLS])],
) -> None:
    from typer.completion import get_completion_script  # type: ignore[attr-defined]

    if shell not in SHELLS:
        raise InputError(f"no completion for {shell}; use one of {', '.join(SHELLS)}")
    print_line(get_completion_script(prog_name="w2v", complete_var=VARIABLE, shell=shell))
