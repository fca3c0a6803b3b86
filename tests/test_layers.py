"""Imports point down only: an upward one, one between members of a row, or a circle fails."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "python" / "hapforge"
ROWS = [
    {"cli"},
    {"evaluation"},
    {"report"},
    {"downstream"},
    {"metrics", "models"},
    {"stats", "interop"},
    {"io", "kernels"},
    {"alignment", "intersection"},
    {"haplotype_blocks"},
    {"haplotypes"},
    {"_backend", "label_files"},
    {"_nvrtc"},
    {"errors", "_streams"},
    {"_core", "_cuda"},
]
RANK = {name: row for row, names in enumerate(ROWS) for name in names}
RANK["datasets"] = RANK["metrics"]  # a cohort that ships with the package: above io, below what uses it
RANK["__main__"] = -1  # python -m hapforge
TORCH_ALLOWED = {"models", "downstream", "interop"}
OPTIONAL = {
    "numcodecs",
    "google_crc32c",
    "isal",
    "torch",
    "numba",
    "numba_cuda",
    "cupy",
    "zarr",
    "plotly",
    "sklearn",
    "ot",
    "matplotlib",
    "cyvcf2",
    "pgenlib",
    "pysam",
    "msprime",
    "tskit",
    "xarray",
    "allel",
    "optuna",
    "sqlalchemy",
}


def _members(folder: Path) -> list[str]:
    return sorted(p.stem for p in folder.iterdir() if (p.suffix == ".py" and p.stem != "__init__") or p.is_dir())


def _imports(path: Path) -> Iterator[tuple[str, bool]]:
    """(dotted name, at module level) of everything a file imports at run time."""
    package = ["hapforge", *path.relative_to(PACKAGE).parent.parts]

    def walk(node: ast.AST, top: bool) -> Iterator[tuple[str, bool]]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.dump(child.test):
                continue
            if isinstance(child, ast.Import):
                yield from ((alias.name, top) for alias in child.names)
            elif isinstance(child, ast.ImportFrom):
                base = package[: len(package) - child.level + 1] if child.level else []
                module = ".".join([*base, *([child.module] if child.module else [])])
                for alias in child.names:
                    yield f"{module}.{alias.name}", top
            inner = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            yield from walk(child, top and not inner)

    yield from walk(ast.parse(path.read_text()), True)


FILES = sorted(p for p in PACKAGE.rglob("*.py") if p != PACKAGE / "__init__.py")


def test_every_member_has_a_row() -> None:
    known = set(RANK) | {"__pycache__", "py"}
    assert [name for name in _members(PACKAGE) if name not in known] == []
    assert len(FILES) > 20


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_point_down(path: Path) -> None:
    mine = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    for name, _ in _imports(path):
        parts = name.split(".")
        if parts[0] != "hapforge" or len(parts) < 2:
            continue
        theirs = parts[1]
        if theirs in RANK and theirs != mine:
            assert RANK[theirs] > RANK[mine], f"{path.name} ({mine}) imports {name}"
        assert theirs in RANK or parts[1:] == ["__version__"], f"{path.name} imports {name}: the package root"
        if theirs in {"_core", "_cuda"}:
            assert mine == "_backend", f"only _backend may import {name}"


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_heavy_modules_are_imported_where_used(path: Path) -> None:
    mine = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    for name, top in _imports(path):
        root = name.split(".")[0]
        if root == "torch":
            assert mine in TORCH_ALLOWED, f"{path.name} imports torch"
        elif root in OPTIONAL and not path.name.startswith(
            root
        ):  # numba_api.py: users of that package import it themselves
            assert not top, f"{path.name} imports {root} when it is loaded"


def test_no_circles_inside_a_layer() -> None:
    graph: dict[str, set[str]] = {}
    modules = {
        ".".join(["hapforge", *p.relative_to(PACKAGE).with_suffix("").parts]).removesuffix(".__init__"): p
        for p in FILES
    }
    for module, path in modules.items():
        targets = set()
        for name, top in _imports(path):
            if not top:
                continue
            while name and name not in modules:
                name = name.rpartition(".")[0]
            # a package's __init__ re-exports its members; only member -> member edges can form a circle
            if name and name != module and modules[name].name != "__init__.py":
                targets.add(name)
        graph[module] = targets
    done: set[str] = set()

    def visit(module: str, trail: tuple[str, ...]) -> None:
        assert module not in trail, " -> ".join([*trail, module])
        if module in done:
            return
        for target in sorted(graph[module]):
            visit(target, (*trail, module))
        done.add(module)

    for module in graph:
        visit(module, ())
