"""The README's code for other languages does what it says."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import hapforge as hf

README = Path(__file__).resolve().parents[1] / "README.md"
SECTION = re.search(r"^## From C, .*?(?=^## )", README.read_text(), flags=re.MULTILINE | re.DOTALL)[0]  # type: ignore[index]


def blocks(language: str) -> list[str]:
    found = re.findall(rf"^```{language}\n(.*?)^```$", SECTION, flags=re.MULTILINE | re.DOTALL)
    assert found, f"no {language} in the section"
    return found


def run(*command: object, cwd: Path) -> str:
    folder = os.path.dirname(sys.executable)  # `python` is this one
    environment = {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"}
    done = subprocess.run(
        list(map(str, command)), cwd=cwd, capture_output=True, text=True, check=False, env=environment
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def need(*names: str) -> str:
    for name in names:
        if found := shutil.which(name):
            return found
    pytest.skip(f"no {' or '.join(names)}")


def test_c(tmp_path: Path) -> None:
    need("cc")
    (program,) = blocks("c")
    (command,) = blocks("sh")
    (tmp_path / "counts.c").write_text(program)
    run("sh", "-ec", command, cwd=tmp_path)
    assert run("./counts", cwd=tmp_path) == "2 1 3\n"


def test_cpp_and_cmake(tmp_path: Path) -> None:
    cmake = need("cmake")
    need("c++", "g++", "clang++")
    (program,) = blocks("cpp")
    (lines,) = blocks("cmake")
    (tmp_path / "counts.cpp").write_text(program)
    (tmp_path / "CMakeLists.txt").write_text(
        "cmake_minimum_required(VERSION 3.22)\nproject(counts LANGUAGES CXX)\nadd_executable(counts counts.cpp)\n"
        + lines
    )
    run(cmake, "-S", ".", "-B", "build", f"-Dhapforge_DIR={hf.get_cmake_dir()}", cwd=tmp_path)
    run(cmake, "--build", "build", cwd=tmp_path)
    assert run("build/counts", cwd=tmp_path) == "0 2 1 0 "


def test_numba(tmp_path: Path) -> None:
    pytest.importorskip("numba")
    (tmp_path / "code.py").write_text(
        blocks("python")[0] + "import numpy as np\nprint(num_polymorphic(np.array([[5], [7], [4]], np.uint64), 3))\n"
    )
    assert run(sys.executable, "code.py", cwd=tmp_path) == "2\n"
    assert list((tmp_path / "__pycache__").glob("*num_polymorphic*.nbi"))


def test_torch(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    (tmp_path / "code.py").write_text(
        "import hapforge as hf\n" + blocks("python")[1] + "print(near.index.shape, near.index.min() >= 0)\n"
    )
    assert run(sys.executable, "code.py", cwd=tmp_path) == "(100, 1) True\n"
