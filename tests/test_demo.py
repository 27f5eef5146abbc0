"""The folder, the commands and the script of the demo; tests/system tests the whole demo."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from simtool import demo
from simtool.demo import KNOWN, DemoError, Size
from simtool.tables.embeddings import open_embeddings
from simtool.toy.observers import ATTENTION, known_attributes
from simtool.toy.population import draw_population

TINY = Size(seed=1, images_per_species=1, observers=2)


def generate(folder: Path, size: Size = TINY) -> None:
    demo.prepare_folder(folder, size)
    demo.draw(folder, size)


def photographs(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*.jpg"))}


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo") / "toy"
    generate(folder)
    return folder


def test_the_demo_draws_its_photographs_into_family_and_species(drawn: Path) -> None:
    found = photographs(drawn / "images")
    assert sorted(found) == sorted(draw_population(1, images_per_species=1).image_id)
    with Image.open(drawn / "images" / next(iter(found))) as image:
        image.load()
        assert image.format == "JPEG"
        assert image.mode == "RGB"


def test_the_same_seed_draws_the_same_files_to_the_byte(drawn: Path, tmp_path: Path) -> None:
    generate(tmp_path / "again")
    assert photographs(tmp_path / "again") == photographs(drawn)
    assert (tmp_path / "again" / "judgments.csv").read_bytes() == (drawn / "judgments.csv").read_bytes()


def test_the_known_attributes_are_a_table_of_embeddings_whose_distance_is_that_of_the_observers(drawn: Path) -> None:
    table = open_embeddings(drawn / "true-attributes.parquet")
    population = draw_population(1, images_per_species=1)
    assert table.info.name == KNOWN == "true attributes (known)"
    assert [segment.name for segment in table.info.segments] == ["family", "species", "shape", "color", "pattern"]
    assert table.image_id.tolist() == list(population.image_id)
    assert table.read() == pytest.approx(known_attributes(population).weighted(ATTENTION), abs=1e-6)


def test_every_participant_of_the_judgments_is_called_simulated(drawn: Path) -> None:
    header, *rows = (drawn / "judgments.csv").read_text().splitlines()
    column = header.split(",").index("participant")
    assert {row.split(",")[column] for row in rows} == {"simulated-001", "simulated-002"}


def test_the_demo_states_that_its_observers_are_simulated() -> None:
    (importing,) = (step.arguments for step in demo.chain(Path("toy"), 16) if step.arguments[0] == "import-trials")
    assert importing[importing.index("--observers") + 1] == "simulated"


def test_a_demo_of_another_seed_replaces_the_photographs_and_leaves_what_is_not_the_demos(
    drawn: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(drawn, tmp_path / "toy")
    (folder / "mine.parquet").write_bytes(b"mine")
    generate(folder, Size(seed=3, images_per_species=1, observers=1))
    assert set(photographs(folder / "images")) == set(draw_population(3, images_per_species=1).image_id)
    assert (folder / "mine.parquet").read_bytes() == b"mine"
    assert not [path for path in (folder / "images").rglob("*") if path.is_dir() and not any(path.iterdir())]


def test_a_demo_broken_off_while_drawing_can_be_run_again(drawn: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(drawn, tmp_path / "toy")
    (folder / "judgments.csv").unlink()
    next((folder / "images").rglob("*.jpg")).unlink()
    generate(folder)
    assert len(photographs(folder)) == 16


def test_a_folder_with_other_content_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("unfinished")
    with pytest.raises(DemoError, match=r"holds thesis\.tex, not an earlier demo"):
        demo.prepare_folder(tmp_path, TINY)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "toy").write_text("")
    with pytest.raises(DemoError, match="a file, not a folder"):
        demo.prepare_folder(tmp_path / "toy", TINY)


def test_photographs_of_somebody_else_among_the_demos_are_refused_and_kept(drawn: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(drawn, tmp_path / "toy")
    (folder / "images" / "holiday.jpg").write_bytes(b"sea")
    with pytest.raises(DemoError, match=r"did not draw images/holiday\.jpg"):
        demo.prepare_folder(folder, TINY)
    assert (folder / "images" / "holiday.jpg").read_bytes() == b"sea"
    assert len(photographs(folder)) == 17


def test_an_empty_folder_is_fine(tmp_path: Path) -> None:
    demo.prepare_folder(tmp_path, TINY)
    assert (tmp_path / "demo.sh").stat().st_mode & 0o111


def test_the_script_holds_the_same_commands_that_the_demo_runs(tmp_path: Path) -> None:
    lines = [line for line in demo.script(TINY).splitlines() if line.startswith("simtool ")]
    assert [tuple(shlex.split(line)[1:]) for line in lines] == [s.arguments for s in demo.chain(Path(), TINY.images)]


def test_the_script_is_a_shell_script_without_faults(tmp_path: Path) -> None:
    demo.prepare_folder(tmp_path, TINY)
    subprocess.run(["sh", "-n", tmp_path / "demo.sh"], check=True)


def test_each_command_is_printed_as_a_shell_reads_it_before_it_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "toy birds"
    ran: list[list[str]] = []

    def run(arguments: Sequence[str]) -> None:
        printed = [line for line in capsys.readouterr().err.splitlines() if line.startswith("$ ")]
        assert shlex.split(printed[-1])[-len(arguments) :] == list(arguments)
        ran.append(list(arguments))

    demo.run_chain(folder, 192, run)
    assert [arguments[0] for arguments in ran] == [
        *("index-images", "import-trials", "embed", "embed", "fit-pca", "embed", "embed"),
        *("train-resnet", "embed", "train-glow", "embed", "score", "score", "report"),
    ]


@pytest.mark.parametrize(("images", "components"), [(16, {"10", "15"}), (192, {"10", "100"})])
def test_pca_has_as_many_components_as_the_photographs_allow(images: int, components: set[str]) -> None:
    steps = demo.chain(Path("toy"), images)
    given = [
        step.arguments[step.arguments.index("--components") + 1] for step in steps if "--components" in step.arguments
    ]
    assert set(given) == components
    assert np.max([int(count) for count in given]) < images


def test_commands_read_only_what_earlier_ones_or_the_drawing_wrote() -> None:
    written = {"toy/images", "toy/judgments.csv", "toy/true-attributes.parquet"}
    for step in demo.chain(Path("toy"), 192):
        arguments = list(step.arguments)
        outputs = {
            arguments[i + 1] for i, a in enumerate(arguments) if a in ("--out", "--figure", "--html", "--csv", "--json")
        }
        inputs = {a for a in arguments if a.startswith("toy/")} - outputs
        assert inputs <= written
        written |= outputs


def test_the_closing_words_say_that_judgments_are_simulated_and_what_to_look_at(tmp_path: Path) -> None:
    closing = demo.closing(tmp_path / "toy", 12.3)
    assert "12 s" in closing
    assert "simulated" in closing
    assert str(tmp_path / "toy" / "report.html") in closing
    assert "fetch-cub" in closing
