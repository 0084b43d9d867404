"""`python -m syncd.demo [FOLDER]`: the demo, in a folder that stays."""

import sys
from pathlib import Path

from syncd.demo import run

sys.exit(run(Path(sys.argv[1]) if len(sys.argv) > 1 else None))
