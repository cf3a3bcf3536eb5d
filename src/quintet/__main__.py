"""`python -m quintet` is the command `quintet`."""

import sys

from quintet.cli import main

sys.exit(main())
