"""Every way in which a command can fail, on an application of one command that fails so."""

from __future__ import annotations

import errno

import pytest
import typer
from typer.testing import CliRunner, Result

from spul.cli._group import RESUME, SpulGroup
from spul.cli._output import Debug
from spul.errors import DataError


def fail_with(error: BaseException, *arguments: str, resume: str | None = None) -> Result:
    app = typer.Typer(cls=SpulGroup, pretty_exceptions_enable=False)

    @app.command("fail")
    def fail(context: typer.Context, debug: Debug = False) -> None:
        if resume is not None:
            context.meta[RESUME] = lambda: resume
        raise error

    @app.callback()
    def group() -> None: ...

    return CliRunner().invoke(app, ["fail", *arguments])


def test_users_error_is_one_message_and_exit_code_2() -> None:
    result = fail_with(DataError("expected a column 'text', got 'review'. Use --column text=review."))
    assert result.exit_code == 2
    assert result.stderr == "error: expected a column 'text', got 'review'. Use --column text=review.\n"
    assert result.stdout == ""


def test_debug_shows_the_traceback_and_keeps_the_exit_code() -> None:
    result = fail_with(DataError("no rows"), "--debug")
    assert result.exit_code == 2
    assert "Traceback (most recent call last)" in result.stderr
    assert result.stderr.endswith("error: no rows\n")


@pytest.mark.parametrize(
    ("number", "words"),
    [(errno.ENOSPC, "no space is left"), (errno.EACCES, "permission is denied"), (errno.EROFS, "read-only")],
)
def test_disk_that_does_not_take_a_file_is_a_users_error(number: int, words: str) -> None:
    result = fail_with(OSError(number, "as the system says it", "runs/x/metrics.json"))
    assert result.exit_code == 2
    assert words in result.stderr
    assert "runs/x/metrics.json" in result.stderr
    assert "Traceback" not in result.stderr


def test_other_errors_of_the_system_are_bugs_and_stay_visible() -> None:
    result = fail_with(OSError(errno.EBADF, "bad file descriptor"))
    assert result.exit_code == 1
    assert isinstance(result.exception, OSError)


def test_interrupt_exits_with_130_and_names_the_command_that_goes_on() -> None:
    result = fail_with(KeyboardInterrupt(), resume="; go on with: spul unlearn --resume runs/x")
    assert result.exit_code == 130
    assert result.stderr == "interrupted; go on with: spul unlearn --resume runs/x\n"


def test_interrupt_of_a_command_that_keeps_nothing() -> None:
    result = fail_with(KeyboardInterrupt())
    assert (result.exit_code, result.stderr) == (130, "interrupted\n")
