"""Run the console script by `python -m rothamsted`, if scripts are not on the PATH.

With `--more-on-stdin` as first word, more words come on standard input as a JSON list, so that a list of processes does
not show them.
"""

import json
import sys

from rothamsted.cli.main import main

if sys.argv[1:2] == ["--more-on-stdin"]:
    sys.argv[1:] = [*sys.argv[2:], *json.load(sys.stdin)]
sys.exit(main())
