"""The `hapforge` command: one file per subcommand; errors are one line on stderr and exit code 2."""

from __future__ import annotations

import importlib.metadata
import os
import sys
import warnings
from typing import Annotated, Any

import typer

from hapforge.cli import convert, demo, evaluate, generate, info, simulate, train
from hapforge.errors import HapforgeError

app = typer.Typer(
    name="hapforge",
    help="Train generative models on phased haplotypes, draw artificial genomes, and measure them.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for _module in (demo, convert, info, simulate, train, generate, evaluate):
    app.command(_module.__name__.rsplit(".", 1)[-1])(_module.command)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(importlib.metadata.version("hapforge"))
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    pass


def _warning_line(message: Any, *_args: Any, **_kwargs: Any) -> None:
    print(f"warning: {_one_line(message)}", file=sys.stderr)


def _one_line(message: Any) -> str:
    return " ".join(str(message).split())


def main() -> None:
    """Entry point. Exit codes: 0 done, 2 bad input (one line says what), 130 interrupted."""
    warnings.showwarning = _warning_line
    try:
        app()
    except (HapforgeError, ValueError, TypeError, OSError, MemoryError) as error:
        if os.environ.get("HAPFORGE_TRACEBACK"):
            raise
        if isinstance(error, BrokenPipeError):
            sys.stderr.close()
            sys.exit(141)
        if isinstance(error, OSError) and error.strerror:
            text = f"{error.filename}: {error.strerror}" if error.filename else error.strerror
        else:
            text = str(error) or type(error).__name__
        print(f"hapforge: {_one_line(text)}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("hapforge: interrupted", file=sys.stderr)
        sys.exit(130)
