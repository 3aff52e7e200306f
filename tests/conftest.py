"""What all tests share: one thread a process, shapes checked, nothing read from or left in the user's own folders."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from collections.abc import Iterator

import hypothesis
import jaxtyping
import pytest
from jaxtyping import install_import_hook

# Before any test imports them: small tensors on many threads take longer, and results differ in the last bit.
for _name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[_name] = "1"
os.environ.pop("OCIO", None)
os.environ["XDG_CACHE_HOME"] = tempfile.mkdtemp(prefix="filmrestore-tests-")
atexit.register(shutil.rmtree, os.environ["XDG_CACHE_HOME"], ignore_errors=True)

# How long one example takes says how busy the machine is, and nothing of what is tested.
hypothesis.settings.register_profile("film", deadline=None)
hypothesis.settings.load_profile("film")

# Tensor shapes and dtypes in signatures are checked at every call.
install_import_hook(("filmrestore.motion", "filmrestore.restorers.frdm"), "beartype.beartype")


@pytest.fixture(scope="session", autouse=True)
def traces_are_not_checked() -> Iterator[None]:
    """While torch traces a network for an export, sizes are tensors too, which no signature has."""
    import torch

    export = torch.onnx.export

    def unchecked(*given: object, **named: object) -> object:
        jaxtyping.config.update("jaxtyping_disable", True)
        try:
            return export(*given, **named)
        finally:
            jaxtyping.config.update("jaxtyping_disable", False)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(torch.onnx, "export", unchecked)
        yield


@pytest.fixture
def median_restorer(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests' quick restorer in the place of the default method's."""
    from filmrestore.restorers.base import REGISTRY

    monkeypatch.setitem(REGISTRY, "frdm", "fakes:load")
