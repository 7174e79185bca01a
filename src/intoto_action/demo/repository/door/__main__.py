"""`python3 -m door CODE`: open or shut."""

import sys

from .lock import opens

sys.stdout.write("open\n" if opens(" ".join(sys.argv[1:])) else "shut\n")
