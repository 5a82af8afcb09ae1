"""``python -m edgevision``: the command line where no console script is on the path."""

from __future__ import annotations

import sys

from edgevision.cli.main import main

sys.exit(main())
