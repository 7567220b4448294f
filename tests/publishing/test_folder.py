from __future__ import annotations

import asyncio
import os
import shutil
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from crm_tui.config import PublishingSettings
from crm_tui.errors import BadInput
from crm_tui.services.publishing.folder import FolderPublisher
from crm_tui.services.publishing.pages import public_page
from crm_tui.services.publishing.publisher import open_publisher
from tests.publishing.conftest import BASE, within


@pytest.fixture
def folder(web: Path) -> FolderPublisher:
    return FolderPublisher(str(web), BASE)


async def test_a_page_is_put_where_every_static_host_finds_it(
    folder: FolderPublisher, web: Path
) -> None:
    assert await folder.put({"ace-queens-abc234": "<p>é"}) == {}
    assert (web / "ace-queens-abc234" / "index.html").read_bytes() == "<p>é".encode()
    assert folder.url("ace-queens-abc234") == f"{BASE}/ace-queens-abc234/"
    assert [each.name for each in (web / "ace-queens-abc234").iterdir()] == ["index.html"]


async def test_a_page_can_be_read_by_a_web_server_whatever_the_umask(
    folder: FolderPublisher, web: Path
) -> None:
    before = os.umask(0o077)
    try:
        await folder.put({"ace": "<p>"})
    finally:
        os.umask(before)
    assert stat.S_IMODE((web / "ace").stat().st_mode) == 0o755
    assert stat.S_IMODE((web / "ace" / "index.html").stat().st_mode) == 0o644


async def test_a_link_in_the_folder_does_not_lead_outside(
    folder: FolderPublisher, web: Path, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "index.html").write_text("mine")
    (web / "ace").symlink_to(outside)
    (web / "best").mkdir()
    (web / "best" / "index.html").symlink_to(outside / "index.html")

    problems = await folder.put({"ace": "<p>ace", "best": "<p>best"})
    assert list(problems) == ["ace"]
    assert problems["ace"].endswith("/web/ace: a link or a file stands in its place")
    assert (web / "best" / "index.html").read_text() == "<p>best"
    assert not (web / "best" / "index.html").is_symlink()

    assert await folder.holds({"ace": None, "best": None}) == {"best"}
    assert list(await folder.remove(["ace", "best"])) == ["ace"]
    assert (outside / "index.html").read_text() == "mine"


async def test_a_draft_that_is_a_link_is_not_followed(
    folder: FolderPublisher, web: Path, tmp_path: Path
) -> None:
    (tmp_path / "mine").write_text("mine")
    (web / "ace").mkdir()
    (web / "ace" / ".index.html.draft").symlink_to(tmp_path / "mine")
    assert list(await folder.put({"ace": "<p>"})) == ["ace"]
    assert (tmp_path / "mine").read_text() == "mine"


async def test_the_folder_itself_may_be_a_link(web: Path, tmp_path: Path) -> None:
    (tmp_path / "www").symlink_to(web)
    linked = FolderPublisher(str(tmp_path / "www"), BASE)
    await linked.check()
    assert await linked.put({"ace": "<p>"}) == {}
    assert (web / "ace" / "index.html").exists()


@pytest.mark.parametrize("slug", ["..", ".", "a/b", "../../etc", "", "A", "index", "ace\n"])
async def test_what_is_no_slug_names_no_file(folder: FolderPublisher, web: Path, slug: str) -> None:
    problems = await folder.put({slug: "<p>"})
    assert "its name cannot be that of a page" in problems[slug]
    assert "its name cannot be that of a page" in (await folder.remove([slug]))[slug]
    assert within(web) == []


async def test_removing_takes_the_page_and_leaves_what_is_not_ours(
    folder: FolderPublisher, web: Path
) -> None:
    await folder.put({"ace": "<p>", "best": "<p>"})
    (web / "best" / "photo.jpg").write_bytes(b"mine")
    assert await folder.remove(["ace", "best", "never-was"]) == {}
    assert within(web) == ["best"]
    assert within(web / "best") == ["photo.jpg"]


async def test_what_is_there_is_told_from_what_is_there_so(
    folder: FolderPublisher, web: Path
) -> None:
    await folder.put({"ace": "<p>ace", "best": "<p>best"})
    (web / "best" / "index.html").write_text("changed")
    pages = {"ace": "<p>ace", "best": "<p>best", "gone": "<p>gone"}
    assert await folder.holds(pages) == {"ace"}
    assert await folder.holds(dict.fromkeys(pages)) == {"ace", "best"}


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    if os.getuid() != 0 or shutil.which("mount") is None:
        pytest.skip("only root can mount a small disk")
    disk = tmp_path / "disk"
    disk.mkdir()
    mounting = ["mount", "-t", "tmpfs", "-o", "size=300k", "none", str(disk)]
    if subprocess.run(mounting, capture_output=True, check=False).returncode:
        pytest.skip("a small disk cannot be mounted here")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def test_a_disk_that_may_only_be_read_is_named(small_disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with pytest.raises(BadInput, match="cannot be written by you"):
        asyncio.run(FolderPublisher(str(small_disk), BASE).check())


async def test_a_full_disk_is_said_of_each_page_and_leaves_none_in_half(small_disk: Path) -> None:
    folder = FolderPublisher(str(small_disk), BASE)
    pages = {f"site-{number}": "x" * 40_000 for number in range(20)}
    problems = await folder.put(pages)
    assert 0 < len(problems) < 20
    assert all("No space left on device" in each for each in problems.values())
    whole = pages.keys() - problems.keys()
    assert await folder.holds(pages) == whole
    assert await folder.holds(dict.fromkeys(pages)) == whole


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (PublishingSettings(), "needs path and base_url"),
        (PublishingSettings(path="/srv/web"), "needs base_url"),
        (PublishingSettings(base_url=BASE), "needs path"),
        (PublishingSettings(path="/srv", base_url="https://bücher.example"), "xn--bcher-kva"),
        (PublishingSettings(path="/srv", base_url="https://a b.example"), "plain letters"),
    ],
)
def test_what_is_missing_in_the_settings_is_one_sentence(
    settings: PublishingSettings, words: str
) -> None:
    with pytest.raises(BadInput, match=words):
        open_publisher(settings)


async def test_a_slash_at_the_end_of_the_address_makes_no_difference(web: Path) -> None:
    settings = PublishingSettings(path=str(web), base_url=f"{BASE}/sites//")
    assert open_publisher(settings).url("ace") == f"{BASE}/sites/ace/"


async def test_a_folder_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="is not there"):
        await FolderPublisher(str(tmp_path / "mnt"), BASE).check()
    with pytest.raises(BadInput, match="must be a whole path"):
        await FolderPublisher("web", BASE).check()
    with pytest.raises(BadInput, match="must be a whole path"):
        await FolderPublisher("/srv/\0web", BASE).check(store=tmp_path / "crm.db")
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInput, match="is a file"):
        await FolderPublisher(str(tmp_path / "file"), BASE).check(first=True)
    with pytest.raises(BadInput, match="is not there"):
        await FolderPublisher(str(tmp_path / "file" / "web"), BASE).check(first=True)
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    with pytest.raises(BadInput, match="is not there"):
        await FolderPublisher(str(tmp_path / "loop"), BASE).check(store=tmp_path / "crm.db")
    assert not (tmp_path / "mnt").exists()


@pytest.mark.parametrize(
    "place", [".", "data", "data/crm.db.sites", "data/crm.db.sites/ace", "link/crm.db.sites"]
)
async def test_the_public_never_reads_the_store_nor_are_previews_written_over(
    place: str, tmp_path: Path
) -> None:
    store = tmp_path / "data" / "crm.db"
    (tmp_path / "data" / "crm.db.sites" / "ace").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "data")
    there = FolderPublisher(str(tmp_path / place), BASE)
    with pytest.raises(BadInput, match="is where your own data is kept"):
        await there.check(store=store, first=True)
    await there.check()  # what is there already can be taken down
    beside = FolderPublisher(str(tmp_path / "data" / "public"), BASE)
    await beside.check(store=store, first=True)


async def test_a_folder_that_may_not_be_written_is_named(
    web: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda _path, _mode: False)  # root may write anything
    with pytest.raises(BadInput, match="cannot be written by you"):
        await FolderPublisher(str(web), BASE).check()


def test_an_imported_page_is_not_listed_by_search_engines_either() -> None:
    unlisted = '\n<meta name="robots" content="noindex, nofollow">'
    assert public_page("<!doctype html><html lang=en><head><title>A") == (
        f"<!doctype html><html lang=en><head>{unlisted}<title>A"
    )
    assert public_page("<!DOCTYPE html>\n<html><body>A") == (
        f"<!DOCTYPE html>\n<html>{unlisted}<body>A"
    )
    assert public_page("A <b>page</b>") == f"{unlisted}A <b>page</b>"
    said = "<head><META NAME=robots content=noindex></head>"
    assert public_page(said) == said
