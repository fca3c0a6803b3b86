"""The `hapforge` command: one file per subcommand; errors are one line on stderr and exit code 2."""

from __future__ import annotations

import contextlib
import errno
import importlib.metadata
import os
import signal
import sys
import warnings
from typing import Annotated, Any

import typer

from hapforge import _backend
from hapforge.cli import (
    _common,
    convert,
    demo,
    evaluate,
    generate,
    half_data,
    impute,
    info,
    labels,
    latent,
    phenotype,
    simulate,
    train,
    tune,
    utility,
)
from hapforge.errors import HapforgeError

app = typer.Typer(
    name="hapforge",
    help="Train generative models on phased haplotypes, draw artificial genomes, and measure them.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for _module in (
    demo,
    convert,
    info,
    simulate,
    phenotype,
    train,
    tune,
    generate,
    impute,
    latent,
    labels,
    evaluate,
    utility,
    half_data,
):
    app.command(_module.__name__.rsplit(".", 1)[-1].replace("_", "-"))(_module.command)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(importlib.metadata.version("hapforge"))
        raise typer.Exit


@app.callback()
def _root(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    if context.invoked_subcommand not in (None, "train") and "RANK" in os.environ:
        from hapforge.models import _ranks

        if _ranks.launched():
            raise ValueError(f"{context.invoked_subcommand}: expected one process, found several of torchrun")


def _warning_line(message: Any, *_args: Any, **_kwargs: Any) -> None:
    print(f"warning: {_one_line(message)}", file=sys.stderr)


def _one_line(message: Any) -> str:
    return " ".join(_common.for_users(str(message)).split())


_UsageError: type[Exception] = next(base for base in typer.BadParameter.__mro__ if base.__name__ == "ClickException")


def main() -> None:
    """Entry point. Exit codes: 0 done, 2 bad input (one line says what), 130 interrupted."""
    warnings.showwarning = _warning_line
    for stream in (sys.stdout, sys.stderr):  # names of files and samples can hold what a terminal cannot show
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    _backend.explain_bus_errors()
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # `| head` ends us as it ends any other tool
    try:
        code = app(standalone_mode=False)
        _flush()
    except _UsageError as error:
        if type(error).__name__ == "NoArgsIsHelpError":
            print(error, file=sys.stderr)
        else:
            _fail(error.format_message())  # type: ignore[attr-defined]
        sys.exit(2)
    except (HapforgeError, ValueError, TypeError, OverflowError, OSError, EOFError, MemoryError) as error:
        if os.environ.get("HAPFORGE_TRACEBACK"):
            raise
        if isinstance(error, OSError) and error.strerror:
            with contextlib.suppress(OSError):
                _flush()
            _fail(_of_system(error))
        else:
            _fail(str(error) or type(error).__name__)
        sys.exit(2)
    except (typer.Abort, KeyboardInterrupt):
        code = 130
    if code == 130:
        _fail("interrupted")
    sys.exit(code)


def _flush() -> None:
    """Have what was printed passed on; what cannot be is dropped, and not tried again when the process ends."""
    try:
        sys.stdout.flush()
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise OSError(error.errno, error.strerror, "standard output") from None


def _of_system(error: OSError) -> str:
    """What, expected, found."""
    said = error.strerror or type(error).__name__
    if error.errno == errno.ENOENT and not said.startswith("expected "):
        said = f"expected it to be there, found: {said}"
    elif not said.startswith("expected "):
        said = f"expected to read or write it, found: {said}"
    if isinstance(error.filename, (str, bytes)):
        return f"{os.fsdecode(error.filename)}: {said}"
    # of any other file that is written the error has the name
    return f"standard output: {said}" if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO) else said


def _fail(message: str) -> None:
    if "RANK" in os.environ:  # one of the processes of torchrun: one line for all
        from hapforge.models import _ranks

        if not _ranks.may_speak():
            return
    print(f"hapforge: {_one_line(message)}", file=sys.stderr)
