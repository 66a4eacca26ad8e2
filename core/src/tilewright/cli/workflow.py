"""A workflow on the command line: its file, its run step by step, and what it would take."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from ..progress.report import watching
from ..progress.units import duration
from ..run_options import RENAMED, SHARED
from . import forecasts
from .choices import run_options
from .results import counted, plain, show_failed
from .scheduler import running
from .terminal import echo

if TYPE_CHECKING:
    from ..engine.result import Result
    from ..workflow import Workflow

__all__ = ["loaded", "run_workflow", "steps_plain", "workflow_foretold"]

WITH = {*SHARED, *RENAMED, "image", "output", "workflow", "scheduler", "dry_run", "as_json", "quiet", "sample"}
WITH |= {"only", "jobs", "shared_prepare"}
"""The parameters of commands that go with a workflow; what the steps hold is in its file."""


def run_workflow(image: str, output: str | None, said: Mapping[str, Any]) -> None:
    """Run the workflow of a command, and print a line for each of its steps."""
    workflow, options = loaded(said["workflow"]), run_options(said, SHARED)
    if said["dry_run"]:
        echo(workflow_foretold(image, output, said, as_json=said["as_json"]))
        return
    results: dict[str, Result] = {}
    with running(resume=options["resume"], scheduler=said["scheduler"]):
        for number, (name, run) in enumerate(workflow.running(image, output, **options), 1):
            if not said["quiet"]:
                echo(f"step {number} of {len(workflow.steps)}: {name}", err=True)
            with watching(quiet=said["quiet"]):
                results[name] = run()
    echo(json.dumps({"steps": steps_plain(results)}) if said["as_json"] else "\n".join(_lines(results)))
    failed = [f"step {name}: {each}" for name, result in results.items() for each in result.failed]
    if failed:
        raise SystemExit(show_failed(failed))


def workflow_foretold(
    image: str, output: str | None, said: Mapping[str, Any], sample: int = 8, *, as_json: bool
) -> str:
    """What the steps of the workflow of a command would take, in lines or as one JSON object."""
    workflow = loaded(said["workflow"])
    with contextlib.redirect_stdout(sys.stderr):  # what models print
        told = workflow.plan(image, output, axes=said["axes"], workers=said["workers"], sample=sample)
    if as_json:
        return json.dumps({"steps": {name: forecasts.plain(each) for name, each in told.items()}})
    lines = []
    for number, (name, each) in enumerate(told.items(), 1):
        lines.append(f"step {number} of {len(told)}: {name}" + (", unchanged" if each.done else ""))
        lines += [] if each.done else forecasts.lines(each)
        if each.waiting:
            lines.append(f"time:    not known until {', '.join(each.waiting)} are there")
    return "\n".join(lines)


def loaded(file: str, beside: Collection[str] = ()) -> Workflow:
    """The workflow of a file. UsageError for an option that its steps hold, but for those that may be beside it."""
    from ..workflow import Workflow

    context = click.get_current_context()
    for parameter in context.command.params:
        given = parameter.name and context.get_parameter_source(parameter.name) is ParameterSource.COMMANDLINE
        if given and parameter.expose_value and parameter.name not in {*WITH, *beside}:
            raise click.UsageError(
                f"{parameter.opts[-1]} is given beside --workflow, whose steps have their own parts and options; write "
                f"it into {file}, or leave it out"
            )
    return Workflow.load(file)


def steps_plain(results: Mapping[str, Result]) -> dict[str, Any]:
    """The results of steps in JSON's values, and whether each was there already."""
    return {name: plain(each) | {"unchanged": not each.seconds} for name, each in results.items()}


def _lines(results: Mapping[str, Result]) -> list[str]:
    labels = {
        label: each for name, result in results.items() for label, each in (result.outputs or {name: result}).items()
    }
    width = max(map(len, labels)) + 1
    return [f"{label + ':':{width}} {_line(each)}" for label, each in labels.items()]


def _line(result: Result) -> str:
    how = duration(sum(result.seconds.values())) if result.seconds else "unchanged"
    table = "" if result.table is None else f", table {result.table.path}"
    return f"{counted(result.n_objects, 'object')}, {how}, labels {result.path}{table}"
