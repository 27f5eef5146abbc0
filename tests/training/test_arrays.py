"""A file of arrays is exact, checks itself, and survives a full disk and a killed writer."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of
from numpy.typing import NDArray

from simtool.training.arrays import ArraysError, read_arrays, read_header, write_arrays


@given(
    array=arrays_of.arrays(
        st.sampled_from([np.float32, np.float64, np.int64, np.uint8, np.bool_]), arrays_of.array_shapes(min_dims=0)
    )
)
def test_arrays_come_back_bit_for_bit(array: NDArray[Any], tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("arrays") / "a.npz"
    write_arrays(path, {"step": 3, "loss": 0.1}, [("weights/0000", array), ("empty", np.zeros((0, 3)))])
    (name, found), (_, empty) = read_arrays(path)
    assert (name, found.dtype, found.shape, found.tobytes()) == (
        "weights/0000",
        array.dtype,
        array.shape,
        array.tobytes(),
    )
    assert empty.shape == (0, 3)
    assert read_header(path) == {"step": 3, "loss": 0.1}


def test_numpy_opens_it_too(tmp_path: Path) -> None:
    write_arrays(tmp_path / "a.npz", {}, [("x", np.arange(5))])
    assert np.load(tmp_path / "a.npz")["x"].tolist() == [0, 1, 2, 3, 4]


def test_the_same_arrays_give_the_same_file(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_arrays(tmp_path / name, {"k": 1}, [("x", np.arange(5))])
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.fixture
def damaged(tmp_path: Path) -> Path:
    path = tmp_path / "a.npz"
    write_arrays(path, {}, [("x", np.arange(10_000, dtype=np.float32))])
    return path


def test_a_flipped_bit_is_found(damaged: Path) -> None:
    content = bytearray(damaged.read_bytes())
    content[20_000] ^= 4
    damaged.write_bytes(content)
    with pytest.raises(ArraysError, match=r"a\.npz: damaged: Bad CRC-32"):
        list(read_arrays(damaged))


@pytest.mark.parametrize("length", [0, 10, 20_000])
def test_a_truncated_file_is_found(damaged: Path, length: int) -> None:
    damaged.write_bytes(damaged.read_bytes()[:length])
    with pytest.raises(ArraysError, match="damaged"):
        list(read_arrays(damaged))


def test_pickled_objects_are_not_written_and_not_read(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="pickle"):
        write_arrays(tmp_path / "a.npz", {}, [("x", np.array([{}]))])
    np.savez(tmp_path / "b.npz", x=np.array([{}]))
    with pytest.raises(ArraysError, match="damaged"):
        list(read_arrays(tmp_path / "b.npz"))


def part(header: str) -> bytes:
    """An array of four bytes with a given header."""
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode() + bytes(4)


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("header.json", b"[" * 100_000, "maximum recursion depth"),
        ("header.json", b"\xff", "can't decode byte"),
        ("header.json", b"9" * 5000, "Exceeds the limit"),
        (
            "x.npy",
            part("{'descr': '<f4', 'fortran_order': False, 'shape': (10000000000000,), }\n"),
            "the header states 40,",
        ),
        ("x.npy", part("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }\n"), "an array of object"),
        ("x.npy", part("{'descr': '<U1', 'fortran_order': False, 'shape': (1,), }\n"), "an array of <U1"),
        ("x.npy", part("((((\n"), "a header that cannot be read"),
        ("x.npy", b"", "EOF"),
    ],
)
def test_a_file_from_elsewhere_is_checked(tmp_path: Path, name: str, content: bytes, complaint: str) -> None:
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr(name, content)
    with pytest.raises(ArraysError, match=complaint) as refused:
        read_header(tmp_path / "a.npz") if name == "header.json" else list(read_arrays(tmp_path / "a.npz"))
    assert "\n" not in str(refused.value)


def test_parts_that_grow_in_memory_are_refused(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "a.npz", x=np.zeros(1_000_000))
    with pytest.raises(ArraysError, match=r"x\.npy is compressed"):
        list(read_arrays(tmp_path / "a.npz"))


@pytest.mark.system
def test_a_full_disk_leaves_the_file_before_it_whole(tmp_path: Path) -> None:
    # A limit on the size of files fails in the middle of a write, as a full disk does.
    path = tmp_path / "a.npz"
    write_arrays(path, {"step": 1}, [("x", np.arange(1000))])
    script = (
        "import resource, sys\nfrom pathlib import Path\nimport numpy as np\n"
        "from simtool.system.space import SpaceError\n"
        "from simtool.training.arrays import write_arrays\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
        "try: write_arrays(Path(sys.argv[1]), {'step': 2}, [('x', np.arange(5000)), ('y', np.arange(20_000))])\n"
        "except SpaceError as failure: print(failure)\n"
    )
    done = subprocess.run([sys.executable, "-c", script, str(path)], capture_output=True, text=True, check=True)
    # Both arrays count, 200 kB, though the limit is reached within the second one.
    said = f"{path}: File too large (the file needs 200 kB); free some space and run the same command again\n"
    assert done.stdout == said
    assert read_header(path) == {"step": 1}
    assert [array.sum() for _, array in read_arrays(path)] == [499_500]
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.system
def test_a_writer_that_is_killed_leaves_the_file_before_it_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    write_arrays(path, {"step": 1}, [("x", np.arange(1000))])

    def fatal() -> Iterator[tuple[str, NDArray[Any]]]:
        yield "x", np.arange(50_000)
        os.kill(os.getpid(), 9)

    if not (child := os.fork()):
        write_arrays(path, {"step": 2}, fatal())
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -9
    assert read_header(path) == {"step": 1}
    assert [array.sum() for _, array in read_arrays(path)] == [499_500]


def test_a_directory_that_points_before_the_file_is_damage(damaged: Path) -> None:
    content = damaged.read_bytes()
    directory = content.rindex(b"PK\1\2")
    shifted = (len(content)).to_bytes(4, "little")
    end = content.rindex(b"PK\5\6")
    damaged.write_bytes(content[directory : end + 16] + shifted + content[end + 20 :])
    with pytest.raises(ArraysError, match=r"a\.npz: damaged"):
        read_header(damaged)
