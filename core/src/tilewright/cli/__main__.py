"""`python -m tilewright.cli`, for where the script `tilewright` is not on the path."""

from __future__ import annotations

from . import main

main(prog_name="tilewright")
