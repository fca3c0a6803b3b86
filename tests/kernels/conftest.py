"""Fixtures of the kernel tests."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import settings

from hapforge import _backend

# Time limits belong to benchmarks: under a sanitizer or on a busy machine they say nothing.
settings.register_profile("no_deadline", deadline=None)
settings.load_profile("no_deadline")


class _Recorder:
    """Stands in for a compiled module and notes the backend each call was given."""

    def __init__(self, module: object, ran: list[tuple[str, str]]) -> None:
        self._module, self._ran = module, ran

    def __getattr__(self, name: str) -> object:
        function = getattr(self._module, name)

        def call(*args: object) -> object:
            backend = next((a for a in args if isinstance(a, str) and a in _backend.BACKENDS), "cuda")
            result = function(*args)
            self._ran.append((name, backend))
            return result

        return function if name in ("available_backends", "device_count") else call


@pytest.fixture
def assert_ran(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """assert_ran(function, backend): the compiled function was called and ran on that backend only.

    The compiled modules never replace a backend by another: they run the one they are given or raise.
    """
    ran: list[tuple[str, str]] = []
    monkeypatch.setattr(_backend, "core", _Recorder(_backend.core, ran))
    if "cuda" in _backend.available_backends("allele_counts"):
        device = _Recorder(_backend.cuda(), ran)
        monkeypatch.setattr(_backend, "cuda", lambda: device)

    def check(function: str, backend: str) -> None:
        backends = {b for f, b in ran if f == function}
        assert backends == {backend}, f"{function} ran on {backends or 'nothing'}, not on {backend}"

    return check
