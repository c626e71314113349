"""`python -m rothamsted`: the console script, for environments whose scripts are not on the PATH.

With `--more-on-stdin` as its first word more words come on standard input, as a JSON list: a list of processes does not
show them.
"""

import json
import sys

from rothamsted.cli.main import main

if sys.argv[1:2] == ["--more-on-stdin"]:
    sys.argv[1:] = [*sys.argv[2:], *json.load(sys.stdin)]
sys.exit(main())
