"""What every test stands on: shapes are checked, one thread, the same random numbers in every order of tests."""

from __future__ import annotations

import gc
import os
import random

# Before torch and tokenizers are imported; processes that tests start inherit it.
os.environ.update(OMP_NUM_THREADS="1", MKL_NUM_THREADS="1", TOKENIZERS_PARALLELISM="false", HF_HUB_OFFLINE="1")

import jaxtyping
import numpy as np
import pytest

from tests import shapes

# Before anything of spul is imported.
jaxtyping.install_import_hook("spul", f"{shapes.__name__}.check_shapes")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest, so that the other processes have something to do meanwhile."""
    items.sort(key=lambda item: item.path.name != "test_demonstration.py")


@pytest.fixture(autouse=True, scope="session")
def _cache_of_its_own(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keep what runs leave for later ones apart from the user's."""
    os.environ["SPUL_CACHE"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(autouse=True)
def _seeded() -> None:
    """Give every test the same global random state, whichever ran before."""
    import torch

    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)


@pytest.fixture(autouse=True, scope="module")
def _unswept() -> None:
    """Leave what is loaded by now out of garbage collection, which accelerate asks for after every training.

    Sweeping all the modules each time took a quarter of a short training.
    """
    gc.freeze()
