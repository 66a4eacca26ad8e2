"""Scripts that start worker processes, and what stops one from starting itself again."""

from __future__ import annotations

import ast
import sys
from pathlib import Path
from types import FrameType

from ...errors import InvalidOption

__all__ = ["check_guarded"]


def check_guarded(frame: FrameType | None, instead: str) -> None:
    """InvalidOption in a script that is not under `if __name__ == "__main__":`: each worker process reads it again."""
    line = _unguarded_line(frame)
    if line is not None:
        raise InvalidOption(
            f'{line[0]} starts worker processes in line {line[1]}, outside of `if __name__ == "__main__":`, and every '
            f"worker would run it again; put it under that line, or {instead}"
        )


def _unguarded_line(frame: FrameType | None) -> tuple[str, int] | None:
    """The script and the line of it that is running now, if that line would run again in a worker process.

    A notebook, a prompt and `python -c` have no file that a worker could read again.
    """
    main = sys.modules.get("__main__")
    file = getattr(main, "__file__", None)
    while frame is not None and not (frame.f_globals is vars(main) and frame.f_code.co_name == "<module>"):
        frame = frame.f_back
    if frame is None or not file or not Path(file).is_file() or Path(frame.f_code.co_filename).name != Path(file).name:
        return None
    text = Path(file).read_text(encoding="utf-8", errors="replace")
    return None if _guarded(ast.parse(text), frame.f_lineno) else (file, frame.f_lineno)


def _guarded(script: ast.Module, line: int) -> bool:
    """Whether a line lies under an `if` that looks at `__name__`."""
    return any(
        isinstance(node, ast.If)
        and node.lineno <= line <= (node.end_lineno or node.lineno)
        and any(isinstance(part, ast.Name) and part.id == "__name__" for part in ast.walk(node.test))
        for node in ast.walk(script)
    )
