"""`python -m tilewright.cli`, for where the script `tilewright` is not on the path."""

from __future__ import annotations

from . import main

if __name__ == "__main__":  # worker processes look at it too
    main(prog_name="tilewright")
