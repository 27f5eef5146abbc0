"""Unpacking archives, most of them hostile or damaged."""

from __future__ import annotations

import gzip
import io
import shutil
import stat
import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simtool.archive import ArchiveError, unpack, unpacking
from simtool.kinds import KindError
from simtool.system.space import SpaceError

#: Photographs do not compress.
NOISE = np.random.default_rng(1).bytes(40_000)

Entry = tuple[str, bytes]
Maker = Callable[..., Path]


def tar_member(name: str, content: bytes = b"", **properties: object) -> tuple[tarfile.TarInfo, io.BytesIO]:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    for key, value in properties.items():
        setattr(info, key, value)
    return info, io.BytesIO(content)


def make_tar(path: Path, *members: tuple[tarfile.TarInfo, io.BytesIO], mode: str = "w:gz") -> Path:
    with tarfile.TarFile.open(path, mode) as archive:  # type: ignore[call-overload]
        for info, content in members:
            archive.addfile(info, content)
    return path


def tar_of(path: Path, *entries: Entry) -> Path:
    return make_tar(path, *(tar_member(name, content) for name, content in entries))


def plain_tar_of(path: Path, *entries: Entry) -> Path:
    return make_tar(path, *(tar_member(name, content) for name, content in entries), mode="w")


def zip_of(path: Path, *entries: Entry) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries:
            archive.writestr(name, content)
    return path


every_format = pytest.mark.parametrize("make", [tar_of, plain_tar_of, zip_of], ids=["tar.gz", "tar", "zip"])


def everything_below(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def assert_refused(archive: Path, reason: str) -> None:
    """Assert that an archive is refused in one line, and that the folder and its parent stay unchanged."""
    folder = archive.parent / "folder"
    folder.mkdir()
    (folder / "mine.txt").write_bytes(b"mine")
    before = everything_below(archive.parent)
    with pytest.raises(ArchiveError, match=reason) as failure:
        unpack(archive, folder)
    assert "\n" not in str(failure.value)
    assert str(archive) in str(failure.value)
    assert everything_below(archive.parent) == before
    assert [path.name for path in folder.iterdir()] == ["mine.txt"]


@every_format
def test_files_get_their_places_in_the_order_of_the_archive(tmp_path: Path, make: Maker) -> None:
    archive = make(
        tmp_path / "any.name", ("attributes.txt", b"1 bill"), ("CUB/images/b.jpg", NOISE), ("CUB/a.txt", b"")
    )
    files = unpack(archive, tmp_path / "made" / "folder")
    assert [file.relative_to(tmp_path / "made" / "folder").as_posix() for file in files] == [
        "CUB/a.txt",
        "CUB/images/b.jpg",
        "attributes.txt",
    ]
    assert everything_below(tmp_path / "made" / "folder") == {
        "attributes.txt": b"1 bill",
        "CUB/images/b.jpg": NOISE,
        "CUB/a.txt": b"",
    }
    assert not list((tmp_path / "made" / "folder").glob(".*"))


@every_format
def test_strays_of_macos_are_passed_over(tmp_path: Path, make: Maker) -> None:
    archive = make(
        tmp_path / "a", ("._CUB", b"x"), ("CUB/._a.txt", b"x"), ("__MACOSX/CUB/a.txt", b"x"), ("./CUB/a.txt", b"a")
    )
    unpack(archive, tmp_path / "folder")
    assert everything_below(tmp_path / "folder") == {"CUB/a.txt": b"a"}


@every_format
def test_keep_chooses_and_renames(tmp_path: Path, make: Maker) -> None:
    archive = make(tmp_path / "a", ("long/way/a.jpg", b"a"), ("long/way/b.txt", b"b"))
    files = unpack(archive, tmp_path / "folder", keep=lambda path: PurePosixPath("images", path.name))
    assert [file.name for file in files] == ["a.jpg", "b.txt"]
    unpack(archive, tmp_path / "only", keep=lambda path: path if path.suffix == ".txt" else None)
    assert everything_below(tmp_path / "only") == {"long/way/b.txt": b"b"}


def test_keep_cannot_lead_outside_or_unite_two_files(tmp_path: Path) -> None:
    archive = tar_of(tmp_path / "a", ("a/1.jpg", b"a"), ("b/1.jpg", b"b"))
    with pytest.raises(ArchiveError, match="outside"):
        unpack(archive, tmp_path / "folder", keep=lambda path: PurePosixPath("..", path.name))
    with pytest.raises(ArchiveError, match=r"it has '1\.jpg' twice"):
        unpack(archive, tmp_path / "folder", keep=lambda path: PurePosixPath(path.name))


def test_empty_folders_are_made(tmp_path: Path) -> None:
    unpack(make_tar(tmp_path / "a", tar_member("CUB/parts", type=tarfile.DIRTYPE)), tmp_path / "folder")
    assert (tmp_path / "folder" / "CUB" / "parts").is_dir()


def test_what_is_there_is_replaced_and_what_is_not_in_the_archive_stays(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    (folder / "CUB").mkdir(parents=True)
    (folder / "CUB" / "a.txt").write_bytes(b"damaged")
    (folder / "CUB" / "mine.txt").write_bytes(b"mine")
    unpack(tar_of(tmp_path / "a", ("CUB/a.txt", b"a"), ("CUB/new/b.txt", b"b")), folder)
    assert everything_below(folder) == {"CUB/a.txt": b"a", "CUB/mine.txt": b"mine", "CUB/new/b.txt": b"b"}


def test_modes_of_the_archive_are_not_taken_over(tmp_path: Path) -> None:
    archive = make_tar(
        tmp_path / "a",
        tar_member("folder", type=tarfile.DIRTYPE, mode=0o7000),
        tar_member("folder/run", b"#!", mode=0o6777, uid=0),
        tar_member("folder/closed", b"x", mode=0),
    )
    (tmp_path / "usual").touch()
    usual = (tmp_path / "usual").stat().st_mode
    for file in unpack(archive, tmp_path / "out"):
        assert file.stat().st_mode == usual
    assert not (tmp_path / "out" / "folder").stat().st_mode & (stat.S_ISUID | stat.S_ISGID | stat.S_ISVTX)


@every_format
@pytest.mark.parametrize("name", ["../evil", "a/../../evil", "/evil", "//evil", "a/.."])
def test_a_name_that_leaves_the_folder_is_refused(tmp_path: Path, make: Maker, name: str) -> None:
    assert_refused(make(tmp_path / "a", ("fine.txt", b"x"), (name, b"x")), "outside the folder")


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (tarfile.SYMTYPE, "a symbolic link"),
        (tarfile.LNKTYPE, "a hard link"),
        (tarfile.CHRTYPE, "a device"),
        (tarfile.BLKTYPE, "a device"),
        (tarfile.FIFOTYPE, "a named pipe"),
        (b"Z", "an entry of unknown kind"),
    ],
)
def test_only_files_and_folders_are_taken_from_a_tar(tmp_path: Path, kind: bytes, words: str) -> None:
    odd = tar_member("odd", type=kind, linkname="fine.txt")
    assert_refused(make_tar(tmp_path / "a", tar_member("fine.txt", b"x"), odd), f"'odd' is {words}")


@pytest.mark.parametrize(
    ("kind", "words"), [(stat.S_IFLNK, "a symbolic link"), (stat.S_IFCHR, "a device"), (stat.S_IFIFO, "a named pipe")]
)
def test_only_files_and_folders_are_taken_from_a_zip(tmp_path: Path, kind: int, words: str) -> None:
    odd = zipfile.ZipInfo("odd")
    odd.external_attr = (kind | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "a", "w") as archive:
        archive.writestr("fine.txt", b"x")
        archive.writestr(odd, "/etc/passwd")
    assert_refused(tmp_path / "a", f"'odd' is {words}")


def test_a_file_through_a_link_of_the_same_archive_is_refused(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    link = tar_member("CUB/images", type=tarfile.SYMTYPE, linkname=str(tmp_path / "outside"))
    assert_refused(make_tar(tmp_path / "a", link, tar_member("CUB/images/evil.jpg", b"x")), "a symbolic link")


def test_a_file_through_a_link_that_is_there_is_refused(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "CUB").symlink_to(tmp_path / "outside")
    with pytest.raises(ArchiveError, match="CUB is a link"):
        unpack(tar_of(tmp_path / "a", ("b.txt", b"b"), ("CUB/images/a.jpg", b"a")), tmp_path / "folder")
    assert not list((tmp_path / "outside").iterdir())
    assert [path.name for path in (tmp_path / "folder").iterdir()] == ["CUB"]


def test_a_link_in_the_place_of_a_file_is_replaced_not_followed(tmp_path: Path) -> None:
    (tmp_path / "outside").write_bytes(b"outside")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "a.txt").symlink_to(tmp_path / "outside")
    unpack(tar_of(tmp_path / "a", ("a.txt", b"a")), tmp_path / "folder")
    assert (tmp_path / "outside").read_bytes() == b"outside"
    assert (tmp_path / "folder" / "a.txt").read_bytes() == b"a"


@pytest.mark.parametrize(("there", "packed"), [("CUB", "CUB/a.txt"), ("CUB/a.txt/b", "CUB/a.txt")])
def test_a_file_and_a_folder_in_each_others_way_are_refused(tmp_path: Path, there: str, packed: str) -> None:
    folder = tmp_path / "folder"
    (folder / there).parent.mkdir(parents=True)
    (folder / there).write_bytes(b"mine")
    with pytest.raises(ArchiveError, match="exists and is"):
        unpack(tar_of(tmp_path / "a", ("before.txt", b""), (packed, b"x")), folder)
    assert everything_below(folder) == {there: b"mine"}


@pytest.mark.filterwarnings("ignore:Duplicate name")
@every_format
def test_the_same_name_twice_is_refused(tmp_path: Path, make: Maker) -> None:
    assert_refused(make(tmp_path / "a", ("a.txt", b"good"), ("./a.txt", b"evil")), r"'a\.txt' twice")


@every_format
def test_a_name_for_both_a_file_and_a_folder_is_refused(tmp_path: Path, make: Maker) -> None:
    assert_refused(make(tmp_path / "a", ("a", b"x"), ("a/b", b"x")), "'a' is both a file and a folder")


@every_format
def test_a_bomb_is_refused_by_size(tmp_path: Path, make: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpacking, "MOST_BYTES", 1_500_000)
    archive = make(tmp_path / "a", *((f"{i}.bin", bytes(400_000)) for i in range(4)))
    assert_refused(archive, "its unpacked size exceeds 1.5 MB")


@every_format
def test_a_bomb_is_refused_by_number(tmp_path: Path, make: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpacking, "MOST_MEMBERS", 10)
    assert_refused(make(tmp_path / "a", *((str(i), b"") for i in range(11))), "more than 10 members")


def test_a_size_that_a_zip_understates_is_not_believed(tmp_path: Path) -> None:
    archive = zip_of(tmp_path / "a", ("a.bin", bytes(400_000)))
    content = archive.read_bytes()
    archive.write_bytes(content.replace((400_000).to_bytes(4, "little"), (10).to_bytes(4, "little")))
    assert_refused(archive, "damaged")


def test_a_header_that_would_fill_the_memory_is_refused(tmp_path: Path) -> None:
    header = tarfile.TarInfo("long")
    header.type, header.size = tarfile.GNUTYPE_LONGNAME, 4 << 30
    (tmp_path / "a").write_bytes(header.tobuf(tarfile.GNU_FORMAT) + bytes(10_240))
    assert_refused(tmp_path / "a", "damaged: a header of 4,294,967,296 bytes")


def test_endless_padding_is_refused(tmp_path: Path) -> None:
    tar = plain_tar_of(tmp_path / "tar", ("a.txt", b"a")).read_bytes()
    (tmp_path / "tar").unlink()
    (tmp_path / "a").write_bytes(gzip.compress(tar) + gzip.compress(bytes(70 << 20), compresslevel=1))
    assert_refused(tmp_path / "a", "data follow its end")


@every_format
@pytest.mark.parametrize("share", [0.05, 0.5, 0.9])
def test_a_truncated_archive_is_refused(tmp_path: Path, make: Maker, share: float) -> None:
    archive = make(tmp_path / "a", ("a.jpg", NOISE), ("b.jpg", NOISE), ("c.jpg", NOISE))
    content = archive.read_bytes()
    archive.write_bytes(content[: int(share * len(content))])
    assert_refused(archive, "truncated|damaged")


def test_a_tar_cut_between_two_members_is_refused(tmp_path: Path) -> None:
    archive = plain_tar_of(tmp_path / "a", ("a.txt", b"a"), ("b.txt", b"b"))
    archive.write_bytes(archive.read_bytes()[:1024])
    assert_refused(archive, "truncated")


@every_format
def test_changed_bytes_are_found(tmp_path: Path, make: Maker) -> None:
    archive = make(tmp_path / "a", ("a.jpg", NOISE), ("b.jpg", NOISE), ("c.jpg", NOISE))
    content = bytearray(archive.read_bytes())
    # A plain tar has no checksum but those of its headers: the second one begins after 40,000 bytes of content.
    middle = 512 + 40_448 + 20 if make is plain_tar_of else len(content) // 2
    content[middle] ^= 0x40
    archive.write_bytes(content)
    assert_refused(archive, "damaged")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "an empty file"),
        (b"\n<!DOCTYPE html><html>Sign in</html>", "this is a web page"),
        (b"\x89PNG\r\n\x1a\n" + NOISE, r"an image \(PNG\), not a tar or zip archive"),
        (gzip.compress(b"no tar", mtime=0), "a gzipped file .of a text file., not a tar or zip archive"),
        (b"PK\3\4 and no more", "a zip archive, but truncated: the list of members at its end is missing"),
    ],
)
def test_what_is_no_archive_is_called_so(tmp_path: Path, content: bytes, reason: str) -> None:
    (tmp_path / "a").write_bytes(content)
    assert_refused(tmp_path / "a", reason)


def test_an_encrypted_zip_is_refused(tmp_path: Path) -> None:
    archive = zip_of(tmp_path / "a", ("secret.txt", b"x"))
    content = bytearray(archive.read_bytes())
    content[6] |= 1
    content[content.index(b"PK\1\2") + 8] |= 1
    archive.write_bytes(content)
    assert_refused(archive, r"'secret\.txt' is encrypted")


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
@pytest.mark.parametrize("place", [0.1, 0.3, 0.5, 0.7])
def test_changed_bytes_of_every_method_of_zip_are_found(tmp_path: Path, method: int, place: float) -> None:
    with zipfile.ZipFile(tmp_path / "a", "w", method) as archive:
        archive.writestr("a.jpg", NOISE)
    content = bytearray((tmp_path / "a").read_bytes())
    start = int(place * len(content))
    content[start : start + 40] = bytes(40)
    (tmp_path / "a").write_bytes(content)
    assert_refused(tmp_path / "a", "damaged|truncated")


def test_a_method_that_is_not_read_is_named(tmp_path: Path) -> None:
    archive = zip_of(tmp_path / "a", ("a.txt", b"a" * 99))
    content = bytearray(archive.read_bytes())
    content[8] = content[content.index(b"PK\1\2") + 10] = 9
    archive.write_bytes(content)
    assert_refused(archive, r"unsupported compression \(.*\); unpack it and give the folder instead")


@given(data=st.data())
@settings(deadline=None, max_examples=60)
def test_a_damaged_list_of_members_is_one_line(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    folder = tmp_path_factory.mktemp("any")
    archive = zip_of(folder / "a.zip", ("images/a.jpg", b"abc"), ("b.txt", b"b"))
    content = bytearray(archive.read_bytes())
    start = content.index(b"PK\1\2")
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(start, len(content) - 1))] = data.draw(st.integers(0, 255))
    archive.write_bytes(content)
    message = "a\nb"
    try:
        unpack(archive, folder / "out")
        message = "unpacked"
    except (ArchiveError, KindError) as failure:
        message = str(failure)
    assert len(message.splitlines()) == 1


@pytest.mark.parametrize("kind", ["tar", "zip"])
def test_a_file_without_a_name_is_refused(tmp_path: Path, kind: str) -> None:
    archive = tmp_path / "a"
    if kind == "tar":
        tar_of(archive, ("fine.txt", b"x"), ("", b"x"))
    else:
        zip_of(archive, ("fine.txt", b"x"), ("b", b"x"))
        content = archive.read_bytes()
        entry = content.rindex(b"PK\1\2")
        end = content.index(b"PK\5\6")
        content = content[: entry + 28] + bytes(2) + content[entry + 30 : end - 1] + content[end:]
        size = struct.pack("<I", end - 1 - content.index(b"PK\1\2"))
        archive.write_bytes(content[: end + 11] + size + content[end + 15 :])
    assert_refused(archive, "a file has no name|damaged: File name in directory '' and header b'b' differ")


@every_format
@pytest.mark.parametrize("name", ["a\nb.jpg", "a\x1b[2J.jpg", "a\u202egpj.exe", "dir\r/a.jpg"])
def test_names_that_no_file_should_have_are_refused(tmp_path: Path, make: Maker, name: str) -> None:
    assert_refused(make(tmp_path / "a", ("fine.txt", b"x"), (name, b"x")), "control characters in its name")


def test_separators_of_windows_are_separators(tmp_path: Path) -> None:
    unpack(zip_of(tmp_path / "a", ("CUB\\images\\a.jpg", b"a")), tmp_path / "other")
    assert everything_below(tmp_path / "other") == {"CUB/images/a.jpg": b"a"}
    assert_refused(zip_of(tmp_path / "b", ("..\\..\\a.jpg", b"a")), "outside the folder")


def test_a_folder_is_copied_as_an_archive_is_unpacked(tmp_path: Path) -> None:
    source = tmp_path / "source"
    unpack(tar_of(tmp_path / "a", ("CUB/a.txt", b"a"), ("CUB/images/b.jpg", NOISE)), source)
    (tmp_path / "elsewhere.txt").write_bytes(b"c")
    (source / "CUB" / "c.txt").symlink_to(tmp_path / "elsewhere.txt")
    (source / "CUB" / "up").symlink_to(source)
    files = unpack(source, tmp_path / "folder")
    assert everything_below(tmp_path / "folder") == {"CUB/a.txt": b"a", "CUB/c.txt": b"c", "CUB/images/b.jpg": NOISE}
    assert not any(file.is_symlink() for file in files)


def test_files_can_be_moved_before_they_take_their_places(tmp_path: Path) -> None:
    archive = tar_of(tmp_path / "a", ("deep/down/a.txt", b"a"), ("other.txt", b"b"))
    files = unpack(archive, tmp_path / "folder", arrange=lambda unpacked: unpacked / "deep")
    assert files == [tmp_path / "folder" / "down" / "a.txt"]
    assert everything_below(tmp_path / "folder") == {"down/a.txt": b"a"}


def test_names_that_would_speak_to_the_terminal_are_quoted(tmp_path: Path) -> None:
    archive = tar_of(tmp_path / "a", ("../\x1b[2J\udcff\n", b"x"))
    assert_refused(archive, r"'\.\./\\x1b\[2J\\udcff\\n'")


@pytest.mark.parametrize("name", ["a.tgz", "another.zip"])
def test_what_a_killed_run_left_is_cleared(tmp_path: Path, name: str) -> None:
    archive = tar_of(tmp_path / "a.tgz", ("a.txt", b"a"))
    left = tmp_path / "folder" / f".{name}.unpacking" / "old"
    left.mkdir(parents=True)
    (left / "half.jpg").write_bytes(b"half")
    unpack(archive, tmp_path / "folder")
    assert everything_below(tmp_path / "folder") == {"a.txt": b"a"}
    assert [path.name for path in (tmp_path / "folder").iterdir()] == ["a.txt"]


def test_too_little_room_is_said_before_the_first_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=1_000_000)
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage)
    for make in (tar_of, zip_of):
        archive = make(tmp_path / "a", ("zeros", bytes(2_000_000)))
        with pytest.raises(SpaceError, match=r"not enough disk space for unpacking a: 2(\.01)? MB needed, 1 MB free"):
            unpack(archive, tmp_path / "folder")
    assert not list((tmp_path / "folder").iterdir())


NAMES = st.lists(st.sampled_from(["a", "b", "..", ".", "", "._c", "ü"]), max_size=4).map("/".join)


@given(st.lists(st.tuples(NAMES, st.binary(max_size=9)), min_size=1, max_size=5))
def test_nothing_is_ever_written_outside_the_folder(
    tmp_path_factory: pytest.TempPathFactory, entries: list[Entry]
) -> None:
    parent = tmp_path_factory.mktemp("any")
    folder = parent / "folder"
    try:
        files = unpack(plain_tar_of(parent / "a.tar", *entries), folder)
    except ArchiveError:
        files = []
    assert {path.name for path in parent.iterdir()} == {"a.tar", "folder"}
    assert everything_below(folder).keys() == {file.relative_to(folder).as_posix() for file in files}
