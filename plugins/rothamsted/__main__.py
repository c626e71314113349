"""`python -m rothamsted`: the console script, for environments whose scripts are not on the PATH."""

import sys

from rothamsted.cli.main import main

sys.exit(main())
