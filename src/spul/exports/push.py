"""Uploading a finished export to a hub."""

from __future__ import annotations

import re
from pathlib import Path

from spul.errors import ConfigError, ExportError

__all__ = ["check_repository", "push_export"]

REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+")


def check_repository(repository: str) -> None:
    """Raise ConfigError unless this is the form of a repository's name."""
    if not REPOSITORY.fullmatch(repository):
        raise ConfigError(f"expected a repository as OWNER/NAME, got {repository!r}")


def push_export(directory: Path, repository: str) -> str:
    """Upload an export to a model repository and return its address; a repository that is not there is made, private.

    Raises:
        ExportError: the hub refuses or cannot be reached. The export itself stays whole.
    """
    from huggingface_hub import HfApi

    api = HfApi()
    try:
        address = str(api.create_repo(repository, private=True, exist_ok=True, repo_type="model"))
        api.upload_folder(repo_id=repository, folder_path=directory, commit_message="spul export")
    # The hub's client raises its own errors, those of its HTTP library and plain ones.
    except Exception as error:
        first = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ExportError(
            f"the export is whole in {directory}, but it could not be uploaded to {repository}: {first}. Log in with "
            f"`hf auth login`, then upload it with `hf upload {repository} {directory}`."
        ) from error
    return address
