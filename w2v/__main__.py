"""`python -m w2v` is `w2v`."""

import sys

from w2v.cli.app import main

sys.exit(main())
