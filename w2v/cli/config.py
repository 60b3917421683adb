"""Print a template for a file of settings: every setting, its meaning and its default.

With --schema, print a JSON Schema with which editors check and complete such files: save it, and
refer to it in the first line of a recipe.

\b
  w2v config > recipe.yaml
  w2v config --schema > w2v.schema.json
  # yaml-language-server: $schema=w2v.schema.json
"""

from __future__ import annotations

import json
from typing import Annotated

from typer import Option

from w2v.cli.output import print_line
from w2v.settings.schema import json_schema, template


def command(
    schema: Annotated[bool, Option("--schema", help="print a JSON Schema")] = False,
) -> None:
    print_line(json.dumps(json_schema(), indent=1) if schema else template().rstrip())
