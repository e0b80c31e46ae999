"""How the command line fails: one message on stderr and an exit code, never a traceback that nobody asked for."""

from __future__ import annotations

import errno
import sys
import traceback
from typing import Any

import typer
from typer.core import TyperGroup

from spul.errors import SpulError

__all__ = ["DEBUG", "RESUME", "SpulGroup"]

DEBUG = "spul.debug"
"""Key of the context's ``meta``: print tracebacks."""
RESUME = "spul.resume"
"""Key of the context's ``meta``: what to say after an interrupt, as a function without arguments."""

USER_ERROR = 2
INTERRUPTED = 130

_DISK = {
    errno.ENOSPC: "no space is left on the device",
    errno.EDQUOT: "the disk quota is used up",
    errno.EROFS: "the file system is read-only",
    errno.EACCES: "permission is denied",
}


class SpulGroup(TyperGroup):
    """Turns what a user can mend into one message and exit code 2; an interrupt into 130 and how to go on."""

    def invoke(self, ctx: Any) -> Any:
        """Run the chosen command; see the class."""
        try:
            return super().invoke(ctx)
        except SpulError as error:
            _fail(ctx, str(error))
            raise typer.Exit(USER_ERROR) from error
        except OSError as error:
            if error.errno not in _DISK:
                raise
            where = f" ({error.filename})" if error.filename else ""
            _fail(
                ctx,
                f"a file could not be read or written{where}: {_DISK[error.errno]}. Finished files are whole; mend "
                "that, then run the command again (or go on from the last checkpoint with --resume RUN).",
            )
            raise typer.Exit(USER_ERROR) from error
        except KeyboardInterrupt as error:
            typer.echo("interrupted" + (ctx.meta[RESUME]() if RESUME in ctx.meta else ""), err=True)
            raise typer.Exit(INTERRUPTED) from error


def _fail(ctx: Any, message: str) -> None:
    if ctx.meta.get(DEBUG):
        traceback.print_exc(file=sys.stderr)
    typer.echo(f"error: {message}", err=True)
