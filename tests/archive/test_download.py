"""Downloading from a real server on the loopback."""

from __future__ import annotations

import hashlib
import shutil
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from simtool.archive import ArchiveError, Source, download, fetch, verify
from simtool.system.space import SpaceError
from tests import servers
from tests.servers import ArchiveServer, breaks_after, ignores_range, sends, status, web_page, without_length

CONTENT = np.random.default_rng(1).bytes(3_000_000)
OTHER = np.random.default_rng(2).bytes(3_000_000)


def checksum(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.fixture(autouse=True)
def _haste(monkeypatch: pytest.MonkeyPatch) -> None:
    for limit, value in {"ATTEMPTS": 3, "WAIT": 0.001, "LONGEST_WAIT": 0.01, "SILENCE": 2.0}.items():
        monkeypatch.setattr(download, limit, value)


@pytest.fixture
def server() -> Iterator[ArchiveServer]:
    with servers.serving(CONTENT) as server:
        yield server


def source(*urls: str, content: bytes = CONTENT) -> Source:
    return Source("birds.tgz", urls, len(content), (checksum(content),))


def unpublished(*urls: str) -> Source:
    """A file without a known size or checksum."""
    return Source("birds.tgz", urls)


def ranges(server: ArchiveServer) -> list[str | None]:
    return [request.range for request in server.requests]


def fetched(source: Source, folder: Path) -> bytes:
    path = fetch(source, folder)
    assert path == folder / "birds.tgz"
    assert sorted(folder.iterdir()) == [path], "nothing but the file is left"
    return path.read_bytes()


def test_redirects_are_followed_and_head_is_never_asked(server: ArchiveServer, tmp_path: Path) -> None:
    assert fetched(source(server.url), tmp_path / "made" / "here") == CONTENT
    assert [request.method for request in server.requests] == ["GET"]


def test_a_verified_file_is_not_downloaded_again(server: ArchiveServer, tmp_path: Path) -> None:
    fetched(source(server.url), tmp_path)
    assert fetched(source(server.url), tmp_path) == CONTENT
    assert len(server.requests) == 1


@pytest.mark.parametrize("bad", [b"", CONTENT[:1000], OTHER], ids=["empty", "short", "other"])
def test_a_bad_file_in_its_place_is_replaced(server: ArchiveServer, tmp_path: Path, bad: bytes) -> None:
    (tmp_path / "birds.tgz").write_bytes(bad)
    assert fetched(source(server.url), tmp_path) == CONTENT


def test_a_bad_file_stays_where_no_better_one_can_be_had(server: ArchiveServer, tmp_path: Path) -> None:
    server.always = status(404)
    (tmp_path / "birds.tgz").write_bytes(OTHER)
    with pytest.raises(ArchiveError, match="404"):
        fetch(source(server.url), tmp_path)
    assert (tmp_path / "birds.tgz").read_bytes() == OTHER


def test_a_broken_download_resumes_within_the_same_run(server: ArchiveServer, tmp_path: Path) -> None:
    server.turns.extend([breaks_after(1_000_000), breaks_after(500_000)])
    assert fetched(source(server.url), tmp_path) == CONTENT
    assert ranges(server) == [None, "bytes=1000000-", "bytes=1500000-"]
    assert [request.if_range for request in server.requests] == [None, server.etag, server.etag]


def test_any_number_of_breaks_is_borne_while_bytes_arrive(server: ArchiveServer, tmp_path: Path) -> None:
    server.always = breaks_after(200_000)
    assert fetched(source(server.url), tmp_path) == CONTENT
    assert len(server.requests) == 15


def test_the_next_run_resumes_the_download(server: ArchiveServer, tmp_path: Path) -> None:
    server.turns.extend([breaks_after(1_000_000), *[status(503)] * 3])
    with pytest.raises(ArchiveError, match=r"birds\.tgz could not be downloaded: 127\.0\.0\.1:.*503"):
        fetch(source(server.url), tmp_path)
    assert (tmp_path / "birds.tgz.part").read_bytes() == CONTENT[:1_000_000]
    assert fetched(source(server.url), tmp_path) == CONTENT
    assert ranges(server)[-1] == "bytes=1000000-"


def test_an_interrupted_download_leaves_what_has_arrived(
    server: ArchiveServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("time.sleep", interrupt)
    server.turns.append(breaks_after(1_000_000))
    with pytest.raises(KeyboardInterrupt):
        fetch(source(server.url), tmp_path)
    monkeypatch.undo()
    assert fetched(source(server.url), tmp_path) == CONTENT
    assert ranges(server) == [None, "bytes=1000000-"]


def test_a_complete_part_needs_no_server(tmp_path: Path) -> None:
    (tmp_path / "birds.tgz.part").write_bytes(CONTENT)
    assert fetched(source("http://127.0.0.1:1/gone"), tmp_path) == CONTENT


def test_a_part_longer_than_the_file_is_dropped(server: ArchiveServer, tmp_path: Path) -> None:
    (tmp_path / "birds.tgz.part").write_bytes(CONTENT + b"x")
    assert fetched(source(server.url), tmp_path) == CONTENT
    assert ranges(server) == [None]


def test_a_server_that_ignores_the_range_starts_over(server: ArchiveServer, tmp_path: Path) -> None:
    server.turns.extend([breaks_after(1_000_000), ignores_range])
    assert fetched(source(server.url), tmp_path) == CONTENT


def test_a_server_that_always_breaks_at_the_same_place_is_given_up(server: ArchiveServer, tmp_path: Path) -> None:
    def starts_over_and_breaks(handler: servers._Handler) -> None:
        handler.reply(200, CONTENT[:1_000_000], Content_Length=str(len(CONTENT)))
        handler.hang_up()

    server.always = starts_over_and_breaks
    with pytest.raises(ArchiveError, match="broke after 1 MB of 3 MB"):
        fetch(source(server.url), tmp_path)


@pytest.mark.parametrize("published", [True, False])
@pytest.mark.parametrize("etags", [True, False])
def test_a_file_that_changed_during_the_break_is_not_spliced(
    server: ArchiveServer, tmp_path: Path, published: bool, etags: bool
) -> None:
    """Told by ETag, else by size, else by checksum."""
    server.etags = etags
    server.turns.extend([breaks_after(1_000_000), *[status(503)] * 3])
    with pytest.raises(ArchiveError):
        fetch(unpublished(server.url), tmp_path)
    server.content = OTHER if published or etags else OTHER[:-1]
    wanted = source(server.url, content=OTHER) if published else unpublished(server.url)
    assert fetched(wanted, tmp_path) == server.content


@pytest.mark.parametrize(
    "headers",
    [
        {"Content_Range": "bytes 1000000-2999999/3000000", "ETag": '"another"'},
        {"Content_Range": "bytes 1000000-2999998/2999999"},
        {"Content_Range": "bytes 0-2999999/3000000"},
    ],
    ids=["another ETag", "another size", "another part"],
)
def test_the_rest_of_another_file_is_not_joined(server: ArchiveServer, tmp_path: Path, headers: dict[str, str]) -> None:
    server.turns.extend([breaks_after(1_000_000), lambda handler: handler.reply(206, OTHER[1_000_000:], **headers)])
    assert fetched(unpublished(server.url), tmp_path) == CONTENT
    assert ranges(server) == [None, "bytes=1000000-", None]


def test_a_server_that_does_not_say_which_part_it_sends_is_useless(server: ArchiveServer, tmp_path: Path) -> None:
    server.turns.extend([breaks_after(1_000_000), lambda handler: handler.reply(206, CONTENT[1_000_000:])])
    with pytest.raises(ArchiveError, match="does not state which part"):
        fetch(source(server.url), tmp_path)


def test_without_a_checksum_no_part_is_joined_to_another_mirrors_file(server: ArchiveServer, tmp_path: Path) -> None:
    with servers.serving(OTHER) as mirror:
        server.turns.extend([breaks_after(1_000_000), *[status(503)] * 3])
        assert fetched(unpublished(server.url, mirror.url), tmp_path) == OTHER
        assert ranges(mirror) == [None]


def test_with_a_checksum_another_mirror_resumes_the_download(server: ArchiveServer, tmp_path: Path) -> None:
    with servers.serving(CONTENT) as mirror:
        server.turns.extend([breaks_after(1_000_000), *[status(503)] * 3])
        assert fetched(source(server.url, mirror.url), tmp_path) == CONTENT
        assert [(request.range, request.if_range) for request in mirror.requests] == [("bytes=1000000-", None)]


def test_a_part_with_bad_bytes_is_downloaded_once_more(server: ArchiveServer, tmp_path: Path) -> None:
    (tmp_path / "birds.tgz.part").write_bytes(OTHER[:1_000_000])
    assert fetched(source(server.url), tmp_path) == CONTENT
    assert ranges(server) == ["bytes=1000000-", None]


def test_wrong_bytes_are_deleted_and_both_checksums_named(server: ArchiveServer, tmp_path: Path) -> None:
    server.content = OTHER
    with pytest.raises(ArchiveError, match=f"expected SHA-256 {checksum(CONTENT)}, got {checksum(OTHER)}"):
        fetch(source(server.url), tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert len(server.requests) == 1, "the same bytes would come again"


def test_a_file_of_another_size_is_not_even_downloaded(server: ArchiveServer, tmp_path: Path) -> None:
    server.content = OTHER[:-1]
    with pytest.raises(ArchiveError, match="its file has 2,999,999 bytes instead of 3,000,000"):
        fetch(source(server.url), tmp_path)


@pytest.mark.parametrize(
    "page", [web_page, sends(b"\n <html><body>Sign in</body></html>", Content_Type="application/octet-stream")]
)
def test_a_web_page_instead_of_the_archive_is_called_that(
    server: ArchiveServer, tmp_path: Path, page: servers.Turn
) -> None:
    server.always = page
    with pytest.raises(ArchiveError, match="the server sent a web page instead of the archive"):
        fetch(unpublished(server.url), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_web_page_instead_of_the_rest_does_not_spoil_the_part(server: ArchiveServer, tmp_path: Path) -> None:
    server.turns.extend([breaks_after(1_000_000), web_page])
    with pytest.raises(ArchiveError, match="web page"):
        fetch(source(server.url), tmp_path)
    assert (tmp_path / "birds.tgz.part").read_bytes() == CONTENT[:1_000_000]


def test_a_busy_server_is_asked_again(server: ArchiveServer, tmp_path: Path) -> None:
    server.turns.extend([status(503), status(503)])
    assert fetched(source(server.url), tmp_path) == CONTENT


def test_the_wait_doubles_and_a_servers_wish_is_granted_within_reason(
    server: ArchiveServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[float] = []
    monkeypatch.setattr("simtool.archive.download.time.sleep", waited.append)
    server.turns.extend([status(503), status(502), status(429, Retry_After="20"), status(503, Retry_After="86400")])
    for limit, value in {"ATTEMPTS": 5, "WAIT": 1.0, "LONGEST_WAIT": 60.0}.items():
        monkeypatch.setattr(download, limit, value)
    fetch(source(server.url), tmp_path)
    assert waited == [1, 2, 20, 60]


def test_a_refusal_is_not_asked_again_but_the_next_mirror_is(server: ArchiveServer, tmp_path: Path) -> None:
    with servers.serving(CONTENT) as mirror:
        server.always = status(404)
        assert fetched(source(server.url, mirror.url), tmp_path) == CONTENT
        assert len(server.requests) == 1


def test_when_every_mirror_fails_each_reason_is_told(server: ArchiveServer, tmp_path: Path) -> None:
    server.always = status(410)
    urls = (server.url, "http://127.0.0.1:1/refused", "http://nowhere.invalid/", "ftp://127.0.0.1/old")
    with pytest.raises(ArchiveError) as failure:
        fetch(source(*urls), tmp_path)
    message = str(failure.value)
    for reason in ("410 Gone", "127.0.0.1:1: connection refused", "nowhere.invalid: ", "not an http or https"):
        assert reason in message
    assert "\n" not in message


@pytest.mark.parametrize(
    "url", ["http://", "http://[half", "http://host:port/", "http://.dot/", "http://127.0.0.1/ü x"]
)
def test_an_address_that_is_none_is_told(tmp_path: Path, url: str) -> None:
    with pytest.raises(ArchiveError, match=r"not a valid address|not an http|unknown host"):
        fetch(unpublished(url), tmp_path)


@pytest.mark.parametrize(
    ("place", "reason"),
    [
        ("/storage/again", "redirects in a loop"),
        ("ftp://127.0.0.1/archive", "not an http or https address"),
        ("file:///etc/passwd", "redirects"),
    ],
)
def test_redirects_in_a_circle_or_elsewhere_are_not_followed(
    server: ArchiveServer, tmp_path: Path, place: str, reason: str
) -> None:
    server.always = status(302, Location=place)
    with pytest.raises(ArchiveError, match=reason):
        fetch(unpublished(server.url), tmp_path)


def test_a_password_in_an_address_is_not_told(tmp_path: Path) -> None:
    with pytest.raises(ArchiveError) as failure:
        fetch(unpublished("http://me:secret@127.0.0.1:1/"), tmp_path)
    assert "secret" not in str(failure.value)


def test_a_silent_server_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "ATTEMPTS", 2)
    monkeypatch.setattr(download, "SILENCE", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        with pytest.raises(ArchiveError, match="no answer in time"):
            fetch(unpublished(url), tmp_path)


@pytest.mark.parametrize(
    ("answer", "reason"), [(b"", "closed the connection"), (b"\x1b[2J nonsense\r\n\r\n", "not valid HTTP")]
)
def test_a_server_that_does_not_speak_http_is_given_up(tmp_path: Path, answer: bytes, reason: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as odd:

        def answers() -> None:
            for _ in range(download.ATTEMPTS):
                connection, _ = odd.accept()
                with connection:
                    connection.recv(1000)
                    connection.sendall(answer)

        thread = threading.Thread(target=answers)
        thread.start()
        with pytest.raises(ArchiveError, match=reason):
            fetch(unpublished(f"http://127.0.0.1:{odd.getsockname()[1]}/"), tmp_path)
        thread.join()


def test_a_server_that_does_not_tell_the_length_is_trusted_only_with_a_checksum(
    server: ArchiveServer, tmp_path: Path
) -> None:
    server.always = without_length
    assert fetched(source(server.url), tmp_path) == CONTENT
    server.content = CONTENT[:-10]
    with pytest.raises(ArchiveError, match="wrong checksum"):
        fetch(Source("birds.tgz", (server.url,), None, (checksum(CONTENT),)), tmp_path / "other")


def test_too_little_room_is_said_before_the_first_byte(
    server: ArchiveServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=2_000_000)
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage)
    with pytest.raises(SpaceError, match=r"not enough disk space for downloading birds\.tgz: 3 MB needed, 2 MB free"):
        fetch(source(server.url), tmp_path)
    assert not (tmp_path / "birds.tgz.part").exists()


@pytest.mark.parametrize(
    "note",
    [
        '["not", "an", "origin"]',
        "[" * 100_000,
        '{"url": "http://x", "total": "3", "validator": null}',
        '{"url": "http://x", "total": -3, "validator": null}',
        '{"url": "http://x", "total": null, "validator": 7}',
    ],
    ids=lambda note: note[:40],
)
def test_a_damaged_note_of_origin_does_no_harm(server: ArchiveServer, tmp_path: Path, note: str) -> None:
    (tmp_path / "birds.tgz.part").write_bytes(CONTENT[:10])
    (tmp_path / "birds.tgz.part.json").write_text(note)
    assert fetched(source(server.url), tmp_path) == CONTENT


def test_verify_accepts_any_published_checksum_in_any_case(tmp_path: Path) -> None:
    path = tmp_path / "birds.tgz"
    path.write_bytes(CONTENT)
    verify(path, ())
    verify(path, (checksum(OTHER), checksum(CONTENT).upper()))
    with pytest.raises(ArchiveError, match=r"birds\.tgz: wrong checksum"):
        verify(path, (checksum(OTHER),))


def test_a_file_with_an_md5_alone_is_verified_by_it(server: ArchiveServer, tmp_path: Path) -> None:
    known = Source("birds.tgz", (server.url,), md5=hashlib.md5(CONTENT, usedforsecurity=False).hexdigest())
    assert fetched(known, tmp_path) == CONTENT
    assert known.is_copy(tmp_path / "birds.tgz")
    (tmp_path / "birds.tgz").write_bytes(OTHER)
    assert not known.is_copy(tmp_path / "birds.tgz")
    assert fetched(known, tmp_path) == CONTENT
    server.content = OTHER
    (tmp_path / "birds.tgz").unlink()
    with pytest.raises(ArchiveError, match=r"wrong checksum: expected MD5 [0-9a-f]{32}, got [0-9a-f]{32}$"):
        fetch(known, tmp_path)


def test_without_a_published_checksum_no_file_is_known_to_be_a_copy(server: ArchiveServer, tmp_path: Path) -> None:
    unknown = Source("birds.tgz", (server.url,))
    assert fetched(unknown, tmp_path) == CONTENT
    assert not unknown.is_copy(tmp_path / "birds.tgz")
