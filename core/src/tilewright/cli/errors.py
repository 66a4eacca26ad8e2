"""Errors and warnings as a person at a terminal wants them: one line each, and an exit code that a script can test.

0 for success; 2 for user errors (wrong options, unreadable images, a full disk); 130 for Ctrl-C; 1 for a fault of the
program. `--debug` adds the traceback.
"""

from __future__ import annotations

import contextlib
import errno
import importlib
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

import click

from ..errors import TilewrightError
from ..storage.disk import MACHINE, advice
from .terminal import echo, take_any_text

__all__ = ["Reporting", "debuggable", "one_line"]

F = TypeVar("F", bound=Callable[..., Any])

DEBUG = "tilewright.debug"
NO_THREAD = "can't start new thread"  # in Python's words


class Reporting(click.Group):
    """A group whose commands end in one line on stderr instead of a traceback.

    commands_in: the module of each command by its name, relative to this package, imported when it is asked for.
    """

    def __init__(self, *args: Any, commands_in: Mapping[str, str], **attributes: Any) -> None:
        super().__init__(*args, **attributes)
        self._homes = commands_in

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click calls it with a context
        return list(self._homes)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - likewise
        if cmd_name not in self._homes:
            return None
        command: click.Command = getattr(importlib.import_module(self._homes[cmd_name], __package__), cmd_name)
        return command

    def make_context(self, *args: Any, **settings: Any) -> click.Context:
        take_any_text()
        with _usage_in_one_line():
            return super().make_context(*args, **settings)

    def invoke(self, ctx: click.Context) -> Any:
        with _warnings_in_one_line(), _usage_in_one_line():
            try:
                return super().invoke(ctx)
            except (click.ClickException, click.exceptions.Exit, click.Abort):
                raise  # click's own ways out, which it knows how to show
            except (Exception, KeyboardInterrupt) as error:  # the outermost border: nobody else reports
                if isinstance(error, BrokenPipeError) and error.errno == errno.EPIPE:
                    raise  # `tilewright plugins | head`: click ends quietly
                if ctx.meta.get(DEBUG):
                    echo("".join(traceback.format_exception(error)), err=True, nl=False)
                message, code = _described(error)
                echo(message, err=True)
                raise click.exceptions.Exit(code) from None


def debuggable(command: F) -> F:
    """Give a command the option `--debug`, before as well as after the name of a subcommand."""

    def remember(ctx: click.Context, _: click.Parameter, said: bool) -> None:
        if said:
            ctx.meta[DEBUG] = True  # shared with the contexts above

    return click.option(
        "--debug", is_flag=True, expose_value=False, callback=remember, help="Show the traceback of an error."
    )(command)


def one_line(text: object) -> str:
    """A text without its line breaks."""
    return " ".join(str(text).split())


def _described(error: BaseException) -> tuple[str, int]:
    """The line and the exit code for an error."""
    if isinstance(error, KeyboardInterrupt):
        return "; ".join(["interrupted", *map(str, error.args)]), 130
    if isinstance(error, TilewrightError):
        return f"error: {one_line(error)}", 2
    if isinstance(error, OSError):
        return f"error: {_of_the_system(error)}", 2
    if isinstance(error, MemoryError):
        return f"error: out of memory ({one_line(error) or 'no more is known'}); give smaller tiles or fewer workers", 2
    if isinstance(error, RuntimeError) and str(error) == NO_THREAD:
        return f"error: the system starts no more threads ({advice(OSError(errno.EAGAIN, NO_THREAD))})", 2
    said = f"{type(error).__name__}: {one_line(error)}"
    return f"internal error: {said}; run with --debug and report it", 1


def _of_the_system(error: OSError) -> str:
    """`No space left on device: '/data/labels.zarr'`, without the number that stands before it in Python."""
    if not error.strerror:
        return one_line(error) or type(error).__name__
    files = " → ".join(repr(name) for name in (error.filename, error.filename2) if name is not None)
    step = f"; {advice(error)}" if error.errno in {*MACHINE, errno.ENAMETOOLONG} else ""
    return one_line(f"{error.strerror}: {files}{step}" if files else f"{error.strerror}{step}")


@contextlib.contextmanager
def _usage_in_one_line() -> Iterator[None]:
    """Click shows what is wrong with a command below its usage, on several lines; the help is what it shows itself."""
    try:
        yield
    except click.exceptions.NoArgsIsHelpError:
        raise
    except click.ClickException as error:
        context = getattr(error, "ctx", None)
        hint = f"; see `{context.command_path if context else 'tilewright'} --help`"
        echo(f"error: {one_line(error.format_message()).rstrip('.')}{hint}", err=True)
        raise click.exceptions.Exit(error.exit_code) from None


@contextlib.contextmanager
def _warnings_in_one_line() -> Iterator[None]:
    def show(message: Warning | str, *_: Any, **__: Any) -> None:
        echo(f"warning: {one_line(message)}", err=True)

    with warnings.catch_warnings():
        warnings.showwarning = show
        yield
