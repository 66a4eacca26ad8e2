"""The picture of the page on previews, of what the page itself runs: `python docs/demo/preview.py`."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import tempfile
from pathlib import Path

from PIL import Image as Picture

from tilewright.cli import main as tilewright

DOCS = Path(__file__).parents[1]


def main() -> None:
    page = (DOCS / "preview.md").read_text(encoding="utf-8")
    command = re.search(r"^tilewright (preview [^\n]*\\\n[^\n]*--output sweep\.png)$", page, re.MULTILINE)
    assert command
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        shutil.copy(DOCS / "demo" / "data" / "img2d.tif", folder)
        tilewright(shlex.split(command[1].replace("\\\n", " ")), standalone_mode=False)
        picture = Picture.open("sweep.png").convert("RGB")
        os.chdir(DOCS)
    picture.quantize(256).save(DOCS / "preview.png", optimize=True)


if __name__ == "__main__":
    main()
