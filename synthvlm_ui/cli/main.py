"""One run of the command line: from arguments to an exit code.

Knows how errors become exit codes and lines; each command's own file knows what it asks of the Studio.
"""

from __future__ import annotations

import errno
import os
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from synthvlm_ui.cli.following import Detached
from synthvlm_ui.cli.output import Output
from synthvlm_ui.cli.parser import Needs, build_parser
from synthvlm_ui.config import default_workspace, environment
from synthvlm_ui.errors import DiskFull, Failure, SynthVLMError

if TYPE_CHECKING:
    from synthvlm_ui.service import Studio

EXIT_INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command and returns the exit code: 0 done, 1 failure, 2 the user's error, 130 interrupted."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    # Known before parsing, because a line that does not parse is answered in JSON too.
    output = Output(as_json="--json" in arguments)
    try:
        return _run(arguments, output)
    except SynthVLMError as error:
        output.error(error)
        return error.exit_code
    except Detached as detached:
        output.result({"job_id": detached.job_id}, [])
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # The reader of stdout has gone (``| head``): nothing is left to say, not even when Python flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        output.note("interrupted")
        return EXIT_INTERRUPTED
    except OSError as error:
        translated = _of_system(error)
        output.error(translated)
        return translated.exit_code
    except Exception as error:
        traceback.print_exc()
        what = f"unexpected {type(error).__name__}: {error}"
        unexpected = Failure(what, fix="Please report it with the lines above.")
        output.error(unexpected)
        return unexpected.exit_code


def _run(arguments: list[str], output: Output) -> int:
    options = build_parser().parse_args(arguments)
    output.as_json = getattr(options, "json", False)
    options.workspace = (getattr(options, "workspace", None) or default_workspace()).expanduser().absolute()
    if options.needs == "none":
        return int(options.run(options, None, output) or 0)
    with _studio(options.workspace, options.needs) as studio:
        return int(options.run(options, studio, output) or 0)


@contextmanager
def _studio(workspace: Path, needs: Needs) -> Iterator[Studio]:
    """The Studio of a workspace; a command that needs none gets an empty one in passing, so none is left behind."""
    # Not before the arguments are known to be right: --help and a typing error need no workspace.
    from synthvlm_ui.service import Studio

    # The browser's actor, so that what was decided there can be undone here.
    actor = environment("ACTOR", "local")
    with ExitStack() as on_leaving:
        if needs == "any" and not workspace.exists():
            workspace, needs = Path(on_leaving.enter_context(TemporaryDirectory(prefix="synthvlm-"))), "writable"
        studio = Studio.open(workspace, actor=actor, read_only=needs != "writable")
        on_leaving.callback(studio.close)
        yield studio


def _of_system(error: OSError) -> SynthVLMError:
    """An error of the operating system that no room translated, as one the user can read."""
    where = str(error.filename or "")
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DiskFull("no room left on the disk", where=where, fix="Free some space and run the command again.")
    return Failure(error.strerror or str(error), where=where)
