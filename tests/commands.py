"""The `hapforge` command as a process that is quick to start."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import traceback
import warnings


def forked(*arguments: object, input: str = "") -> subprocess.CompletedProcess[str]:
    """What `hapforge ARGUMENTS` prints to a file, and its exit code, from a copy of this process.

    A copy has the imports, which are most of what a small command takes. It is no place to train in: torch's threads do
    not go along. It is ended after two minutes.
    """
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        given.write(input.encode())
        given.seek(0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of a fork beside threads
            child = os.fork()
        if child == 0:
            _become(arguments, given.fileno(), out.fileno(), err.fileno())
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        texts = []
        for file in (out, err):
            file.seek(0)
            texts.append(file.read().decode())
    return subprocess.CompletedProcess(["hapforge", *map(str, arguments)], code, *texts)


def _become(arguments: tuple[object, ...], *files: int) -> None:
    """Run the command on these standard streams, and end."""
    code = 1
    try:
        for number, file in enumerate(files):
            os.dup2(file, number)
        sys.stdin, sys.stdout, sys.stderr = (
            open(number, mode, closefd=False)  # noqa: SIM115
            for number, mode in enumerate(("r", "w", "w"))
        )
        sys.argv = ["hapforge", *map(str, arguments)]
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(120)
        warnings.resetwarnings()
        for category in (DeprecationWarning, PendingDeprecationWarning, ImportWarning, ResourceWarning):
            warnings.simplefilter("ignore", category)
        from hapforge.cli import main

        main()
        code = 0
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 0 if ended.code is None else 1
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
