"""`make_local_cluster`: worker processes on this machine, and what stops a script from starting itself again."""

from __future__ import annotations

import ast
import sys
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from ..engine.schedule import cpus
from ..errors import InvalidOption
from ..quantities import whole_number

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["check_travels", "make_local_cluster", "unguarded_line"]

MOST_WORKERS = 8


def make_local_cluster(
    use_gpu: bool = False,
    n_workers: int | None = None,
    threads_per_worker: int = 1,
    memory_limit: str | None = None,
    **cluster_kwargs: Any,
) -> tuple[Any, Any]:
    """Start a dask cluster of processes on this machine; returns its client and itself, both to be closed.

    The client is the active one from here on, so a run uses its workers without being told.

    use_gpu: one worker, so that one model is on the GPU at a time; it need not be there. Otherwise a worker for each
        CPU, at most 8.
    memory_limit: of each worker, as in `"8GB"`; None for no limit.
    cluster_kwargs: for `dask.distributed.LocalCluster`.

    InvalidOption in a script that calls this outside `if __name__ == "__main__":`. Each worker process reads the
    script again, and would start a cluster of its own.
    """
    from distributed import Client, LocalCluster

    for what, value in (("n_workers", n_workers), ("threads_per_worker", threads_per_worker)):
        if value is not None:
            whole_number(what, value, least=1)
    line = unguarded_line(sys._getframe(1))
    if line is not None:
        raise InvalidOption(
            f'{line[0]} starts worker processes in line {line[1]}, outside of `if __name__ == "__main__":`, and every '
            "worker would run it again; put it under that line, or leave the cluster out: a run uses threads by itself"
        )
    workers = n_workers or (1 if use_gpu else min(MOST_WORKERS, cpus()))
    settings = {"processes": True, "threads_per_worker": threads_per_worker, "memory_limit": memory_limit}
    cluster = LocalCluster(n_workers=workers, **(settings | cluster_kwargs))  # type: ignore[no-untyped-call]
    return Client(cluster), cluster  # type: ignore[no-untyped-call]  # distributed is not typed


def unguarded_line(frame: FrameType | None) -> tuple[str, int] | None:
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


def check_travels(segmenter: Callable[..., Any]) -> None:
    """Refuse, before any work, a function that cannot be sent to the worker processes of the active client."""
    if "distributed" not in sys.modules:
        return
    import cloudpickle  # type: ignore[import-untyped]  # it ships no types
    from distributed import get_client

    try:
        get_client()
    except ValueError:
        return
    try:
        cloudpickle.dumps(segmenter)
    except Exception as error:
        raise InvalidOption(
            f"{segmenter!r} cannot be sent to the workers of the active dask client ({error}); "
            "open what cannot be copied, such as a model, inside the function, or close the client to run on threads"
        ) from error
