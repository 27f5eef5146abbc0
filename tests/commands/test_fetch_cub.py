"""``simtool fetch-cub``, from local copies and from a server on the loopback."""

from __future__ import annotations

import hashlib
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from simtool.archive import Source
from simtool.cli import app
from simtool.errors import UsageError
from simtool.tables.files import metadata_of, open_parquet
from simtool.tables.images import image_paths, read_images
from tests import servers
from tests.cub import PHOTOGRAPHS, miniature, pack

NAMES = [name for name, *_ in PHOTOGRAPHS]
ORIGIN = "simtool.collections.cub.ARCHIVE"


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A local copy of the miniature archive."""
    return pack(tmp_path / "copy.tgz", miniature())


@pytest.fixture
def server(copy: Path) -> Iterator[servers.ArchiveServer]:
    with servers.serving(copy.read_bytes()) as server:
        yield server


@pytest.fixture
def published(server: servers.ArchiveServer, monkeypatch: pytest.MonkeyPatch) -> Source:
    """The miniature as if it were the official archive."""
    source = Source("CUB_200_2011.tgz", (server.url,), len(server.content), (checksum(server.content),))
    monkeypatch.setattr(ORIGIN, source)
    return source


def checksum(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def fetch_cub(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["fetch-cub", *map(str, arguments)])


def done(*arguments: object) -> str:
    result = fetch_cub(*arguments)
    assert result.exit_code == 0, result.exception
    assert result.stdout == ""
    return result.stderr


def test_a_file_in_the_place_of_the_folder_is_wrong_usage(tmp_path: Path) -> None:
    place = tmp_path / "images.parquet"
    place.touch()
    assert f"{place} is a file, not a folder" in wrong_usage(place)


def wrong_usage(*arguments: object) -> str:
    """The reason for exit code 2."""
    failure = fetch_cub(*arguments).exception
    assert isinstance(failure, UsageError)
    return str(failure)


def failed(*arguments: object) -> str:
    """The reason, which is one line."""
    result = fetch_cub(*arguments)
    assert result.exit_code == 1
    message = str(result.exception)
    assert message
    assert "\n" not in message
    return message


def state(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Content and time of every file."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): (path.read_bytes(), path.stat().st_mtime_ns) for path in files}


def test_a_local_copy_becomes_a_table(copy: Path, tmp_path: Path) -> None:
    said = done(tmp_path / "cub", "--archive", copy)
    assert f"warning: {copy} is not the official archive" in said
    assert "5 images of 3 classes: 3 train, 2 test" in said
    table = tmp_path / "cub" / "images.parquet"
    images = read_images(table)
    assert images.image_id.tolist() == NAMES
    assert [Image.open(path).mode for path in image_paths(table, images)] == [mode for _, mode, *_ in PHOTOGRAPHS]
    assert copy.exists()
    assert sorted(path.name for path in table.parent.iterdir()) == ["CUB_200_2011", "attributes.txt", "images.parquet"]


def test_the_table_tells_the_archive_and_the_text_files_it_comes_from(copy: Path, tmp_path: Path) -> None:
    done(tmp_path / "cub", "--archive", copy)
    metadata = metadata_of(open_parquet(tmp_path / "cub" / "images.parquet").schema_arrow)
    assert metadata["inputs"][0] == {"name": copy.as_posix(), "sha256": checksum(copy.read_bytes())}
    assert [Path(file["name"]).name for file in metadata["inputs"][1:]] == [
        "classes.txt",
        "images.txt",
        "image_class_labels.txt",
        "train_test_split.txt",
        "bounding_boxes.txt",
    ]


@pytest.fixture
def nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """A download would fail, and say so."""
    monkeypatch.setattr(ORIGIN, Source("CUB_200_2011.tgz", ()))


@pytest.fixture
def unpacked(tmp_path: Path) -> Path:
    """A folder that the miniature archive was unpacked to by other means."""
    for name, content in miniature().items():
        (tmp_path / "unpacked" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "unpacked" / name).write_bytes(content)
    return tmp_path / "unpacked"


@pytest.mark.usefixtures("nowhere")
@pytest.mark.parametrize("below", ["", "CUB_200_2011"])
def test_an_unpacked_folder_is_a_copy(unpacked: Path, tmp_path: Path, below: str) -> None:
    before = state(unpacked)
    said = done(tmp_path / "cub", "--archive", unpacked / below)
    assert "5 images of 3 classes: 3 train, 2 test" in said
    assert state(unpacked) == before
    shutil.rmtree(unpacked)
    table = tmp_path / "cub" / "images.parquet"
    assert all(path.is_file() for path in image_paths(table, read_images(table)))


@pytest.mark.usefixtures("nowhere")
@pytest.mark.parametrize("below", ["", "CUB_200_2011"])
def test_the_unpacked_data_set_itself_is_listed_in_place(unpacked: Path, below: str) -> None:
    before = state(unpacked)
    said = done(unpacked / below)
    assert "5 images of 3 classes" in said
    table = unpacked / below / "images.parquet"
    images = read_images(table)
    assert images.image_id.tolist() == NAMES
    assert all(path.is_file() for path in image_paths(table, images))
    written = table.relative_to(unpacked).as_posix()
    assert {name: what for name, what in state(unpacked).items() if name != written} == before
    assert "is up to date" in done(unpacked / below)


def test_nothing_is_downloaded_into_an_unpacked_data_set(unpacked: Path, copy: Path, published: Source) -> None:
    root = unpacked / "CUB_200_2011"
    (root / "images" / NAMES[1]).unlink()
    before = state(unpacked)
    assert f"photographs are missing or damaged in it: {NAMES[1]}; take them from a copy" in failed(root)
    assert "give that folder" in failed(root / "images")
    assert state(unpacked) == before
    done(root, "--archive", copy)
    assert (root / "images" / NAMES[1]).is_file()
    (root / "images.txt").write_text("1 one two\n1 one\n")
    assert "images.txt, line 2: id 1" in failed(root)
    (root / "images.txt").unlink()
    assert "images.txt: no such file" in failed(root)


@pytest.mark.usefixtures("nowhere")
def test_a_folder_is_repaired_from_the_folder_of_the_same_copy_only(unpacked: Path, tmp_path: Path) -> None:
    folder = tmp_path / "cub"
    done(folder, "--archive", unpacked)
    lost = folder / "CUB_200_2011" / "images" / NAMES[1]
    lost.unlink()
    done(folder, "--archive", unpacked)
    assert lost.is_file()
    lost.unlink()
    classes = unpacked / "CUB_200_2011" / "classes.txt"
    classes.write_bytes(classes.read_bytes() + b"201 201.New\n")
    assert "classes.txt differs from" in failed(folder, "--archive", unpacked)


@pytest.mark.usefixtures("nowhere")
@pytest.mark.parametrize(("below", "complaint"), [("", "is the copy itself"), ("new", "which is to be copied")])
def test_a_folder_is_not_copied_into_itself(unpacked: Path, below: str, complaint: str) -> None:
    assert complaint in wrong_usage(unpacked / below, "--archive", unpacked)


def test_a_download_becomes_a_table_and_the_archive_goes(published: Source, tmp_path: Path) -> None:
    said = done(tmp_path / "cub")
    assert "warning" not in said
    assert len(read_images(tmp_path / "cub" / "images.parquet")) == 5
    assert f"deleted {tmp_path}/cub/CUB_200_2011.tgz (--keep-archive keeps it)" in said
    assert sorted(path.name for path in (tmp_path / "cub").iterdir()) == [
        "CUB_200_2011",
        "attributes.txt",
        "images.parquet",
    ]


def test_the_archive_stays_where_it_is_wanted_or_was_before(
    published: Source, copy: Path, server: servers.ArchiveServer, tmp_path: Path
) -> None:
    done(tmp_path / "kept", "--keep-archive")
    assert (tmp_path / "kept" / "CUB_200_2011.tgz").exists()
    (tmp_path / "mine").mkdir()
    shutil.copy(copy, tmp_path / "mine" / "CUB_200_2011.tgz")
    done(tmp_path / "mine")
    assert (tmp_path / "mine" / "CUB_200_2011.tgz").exists()
    assert len(server.requests) == 1


def test_where_all_is_in_place_nothing_is_done(
    published: Source, server: servers.ArchiveServer, tmp_path: Path
) -> None:
    done(tmp_path / "cub")
    before = state(tmp_path / "cub")
    assert "is up to date" in done(tmp_path / "cub")
    assert state(tmp_path / "cub") == before
    assert len(server.requests) == 1


def test_what_somebody_unpacked_by_hand_is_listed_without_a_download(
    published: Source, server: servers.ArchiveServer, copy: Path, tmp_path: Path
) -> None:
    shutil.unpack_archive(copy, tmp_path / "cub", "gztar", filter="data")
    done(tmp_path / "cub")
    assert len(read_images(tmp_path / "cub" / "images.parquet")) == 5
    assert server.requests == []


@pytest.mark.parametrize(
    "how", ["table", "emptied table", "photographs", "text file", "damaged text file", "everything"]
)
@pytest.mark.parametrize("local", [True, False])
def test_what_is_missing_or_damaged_is_repaired(
    published: Source, copy: Path, tmp_path: Path, how: str, local: bool
) -> None:
    folder = tmp_path / "cub"
    options = ["--archive", copy] if local else []
    done(folder, *options)
    before = {name: content for name, (content, _) in state(folder).items() if name != "images.parquet"}
    rows = read_images(folder / "images.parquet")
    root = folder / "CUB_200_2011"
    match how:
        case "table":
            (folder / "images.parquet").unlink()
        case "damaged table":
            (folder / "images.parquet").write_bytes(b"")
        case "photographs":
            (root / "images" / NAMES[0]).unlink()
            (root / "images" / NAMES[1]).write_bytes(b"")
        case "text file":
            (root / "images.txt").unlink()
        case "damaged text":
            (root / "images.txt").write_bytes((root / "images.txt").read_bytes()[:50])
        case "everything":
            shutil.rmtree(root)
    done(folder, *options)
    assert {name: content for name, (content, _) in state(folder).items() if name != "images.parquet"} == before
    assert read_images(folder / "images.parquet").image_id.tolist() == rows.image_id.tolist()


def test_photographs_of_another_archive_are_not_mixed_in(copy: Path, tmp_path: Path) -> None:
    done(tmp_path / "cub", "--archive", copy)
    before = state(tmp_path / "cub")
    other = pack(tmp_path / "other.tgz", {**miniature(), "attributes.txt": b"other"})
    assert "has photographs of another archive" in failed(tmp_path / "cub", "--archive", other)
    assert state(tmp_path / "cub") == before


def test_photographs_of_another_archive_are_not_repaired_from_the_official_one(copy: Path, tmp_path: Path) -> None:
    done(tmp_path / "cub", "--archive", copy)
    (tmp_path / "cub" / "CUB_200_2011" / "images" / NAMES[0]).unlink()
    assert "give that archive with --archive" in failed(tmp_path / "cub")


def test_a_mirror_and_a_checksum_replace_the_official_ones(server: servers.ArchiveServer, tmp_path: Path) -> None:
    server.turns.append(servers.status(404))
    hexadecimal = checksum(server.content).upper()
    done(tmp_path / "cub", "--url", server.url, "--url", server.url, "--sha256", hexadecimal)
    assert len(read_images(tmp_path / "cub" / "images.parquet")) == 5


def test_a_mirror_alone_must_serve_the_official_archive(server: servers.ArchiveServer, tmp_path: Path) -> None:
    message = failed(tmp_path / "cub", "--url", server.url)
    assert f"its file has {len(server.content):,} bytes instead of 1,150,585,339" in message
    assert "--archive" in message
    assert list((tmp_path / "cub").iterdir()) == []


def test_a_local_copy_must_have_the_checksum_that_is_given(copy: Path, tmp_path: Path) -> None:
    wrong, right = "0" * 64, checksum(copy.read_bytes())
    message = failed(tmp_path / "cub", "--archive", copy, "--sha256", wrong)
    assert message == f"{copy}: wrong checksum: expected SHA-256 {wrong}, got {right}"
    assert not (tmp_path / "cub").exists()
    assert "warning" not in done(tmp_path / "cub", "--archive", copy, "--sha256", right)


def test_a_copy_of_the_official_size_must_be_the_official_one(published: Source, copy: Path, tmp_path: Path) -> None:
    content = bytearray(copy.read_bytes())
    content[len(content) // 2] ^= 1
    copy.write_bytes(content)
    assert "wrong checksum" in failed(tmp_path / "cub", "--archive", copy)


@pytest.mark.parametrize("page", [True, False])
def test_a_damaged_copy_changes_nothing(copy: Path, tmp_path: Path, page: bool) -> None:
    done(tmp_path / "cub", "--archive", copy)
    (tmp_path / "cub" / "CUB_200_2011" / "images.txt").unlink()
    (tmp_path / "cub" / "images.parquet").unlink()
    before = state(tmp_path / "cub")
    copy.write_bytes(b"<html>Sign in</html>" if page else copy.read_bytes()[:-500])
    assert ("web page" if page else "truncated") in failed(tmp_path / "cub", "--archive", copy)
    assert state(tmp_path / "cub") == before


def test_too_little_room_for_archive_and_photographs_is_said_before_the_download(
    published: Source, server: servers.ArchiveServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=len(server.content) * 3 // 2)
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage)
    assert "not enough disk space for CUB_200_2011.tgz with its photographs:" in failed(tmp_path / "cub")
    assert server.requests == []


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--sha256", "abc"], "64 hexadecimal digits"),
        (["--url", "file:///etc/passwd"], "not an http or https address"),
        (["--url", "https://example.org/cub.tgz", "--archive", "cub.tgz"], "give one of them"),
    ],
)
def test_wrong_options_are_told(tmp_path: Path, arguments: list[str], reason: str) -> None:
    assert reason in wrong_usage(tmp_path / "cub", *arguments)
    assert not (tmp_path / "cub").exists()


def test_a_copy_that_is_not_there_makes_no_folder(tmp_path: Path) -> None:
    reason = failed(tmp_path / "cub", "--archive", tmp_path / "none.tgz")
    assert reason == f"{tmp_path / 'none.tgz'}: no such file or folder"
    assert not (tmp_path / "cub").exists()


def run(*arguments: object, limit: int | None = None) -> subprocess.Popen[str]:
    """Start the command as a process, which may not write files of more than ``limit`` bytes."""
    script = "import resource, sys; from simtool.cli import main; " + (
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit})); " if limit else ""
    )
    return subprocess.Popen(
        [sys.executable, "-c", f"{script} main()", "fetch-cub", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture
def large(tmp_path: Path) -> bytes:
    """A miniature archive of 4 MB."""
    noise = np.random.default_rng(3).bytes(4_000_000)
    return pack(tmp_path / "large.tgz", {**miniature(), "CUB_200_2011/noise": noise}).read_bytes()


@pytest.mark.system
@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM], ids=lambda end: end.name)
def test_the_next_run_resumes_a_stopped_download(tmp_path: Path, large: bytes, end: signal.Signals) -> None:
    folder = tmp_path / "cub"
    part = folder / "CUB_200_2011.tgz.part"
    with servers.serving(large) as server:
        options = (folder, "--url", server.url, "--sha256", checksum(large))
        server.turns.append(servers.slowly(0.05, 200_000))
        process = run(*options)
        while not (part.exists() and part.stat().st_size > 300_000):
            assert process.poll() is None, process.communicate()
            time.sleep(0.01)
        process.send_signal(end)
        _, said = process.communicate(timeout=30)
        assert process.returncode != 0
        assert "Traceback" not in said
        assert end == signal.SIGKILL or "stopped; the next run resumes after" in said
        assert not (folder / "images.parquet").exists()
        arrived = part.stat().st_size
        assert 300_000 < arrived < len(large)
        done(*options)
        assert server.requests[-1].range == f"bytes={arrived}-"
    assert len(read_images(folder / "images.parquet")) == 5
    assert sorted(path.name for path in folder.iterdir()) == ["CUB_200_2011", "attributes.txt", "images.parquet"]


@pytest.mark.system
def test_a_file_that_does_not_fit_is_told_and_the_download_can_resume(tmp_path: Path, large: bytes) -> None:
    folder = tmp_path / "cub"
    with servers.serving(large) as server:
        options = (folder, "--url", server.url, "--sha256", checksum(large))
        process = run(*options, limit=1_000_000)
        _, said = process.communicate(timeout=30)
        assert process.returncode == 1
        assert "error: " in said.splitlines()[-1]
        assert "(downloading CUB_200_2011.tgz needs 4.0" in said.splitlines()[-1]
        assert (folder / "CUB_200_2011.tgz.part").stat().st_size == 1_000_000
        done(*options)
        assert server.requests[-1].range == "bytes=1000000-"


@pytest.mark.system
def test_photographs_that_do_not_fit_leave_nothing_behind(tmp_path: Path, large: bytes) -> None:
    folder = tmp_path / "cub"
    process = run(folder, "--archive", tmp_path / "large.tgz", limit=1_000_000)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 1
    assert "(unpacking large.tgz needs 4.0" in said.splitlines()[-1]
    assert list(folder.iterdir()) == []


@pytest.mark.system
def test_two_processes_do_not_disturb_each_other(tmp_path: Path, large: bytes) -> None:
    with servers.serving(large) as server:
        server.turns.append(servers.slowly(0.02, 200_000))
        options = (tmp_path / "cub", "--url", server.url, "--sha256", checksum(large))
        both = [run(*options), run(*options)]
        said = [process.communicate(timeout=30)[1] for process in both]
        assert [process.returncode for process in both] == [0, 0]
        assert sum("is up to date" in text for text in said) == 1
        assert len(server.requests) == 1


@pytest.mark.slow
def test_real_photographs_become_a_table(cub127: Path, tmp_path: Path) -> None:
    done(tmp_path / "cub", "--archive", cub127 / "CUB_200_2011.tgz")
    table = tmp_path / "cub" / "images.parquet"
    images = read_images(table)
    assert len(images) == 7456
    assert [len(images.where_split(split)) for split in ("train", "test")] == [3768, 3688]
    assert len(set(images.class_id)) == 127
    assert images.class_name[images.class_id == 43].tolist()[0] == "043.Yellow_bellied_Flycatcher"
    modes = [Image.open(path).mode for path in image_paths(table, images)]
    assert {mode: modes.count(mode) for mode in modes} == {"RGB": 7454, "L": 2}
    assert "is up to date" in done(tmp_path / "cub")
