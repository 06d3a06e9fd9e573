"""Makes the modules of code_ifd importable from here; the scripts of this folder import it before any of them."""

import sys
from pathlib import Path

CODE_IFD = str(Path(__file__).parents[2] / "code_ifd")
if CODE_IFD not in sys.path:
    sys.path.append(CODE_IFD)
