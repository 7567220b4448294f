"""Building and publishing sites with the real command line: how many a second, the same every time."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

from benchmarks.importing import watch
from benchmarks.make_store import make_store
from benchmarks.measure import Measure
from benchmarks.scale import PROGRAM, Scale, alone, own_places

SITES_PER_SECOND = 200
PUBLISHED_PER_SECOND = 200


def run(scale: Scale) -> list[Measure]:
    with own_places() as (folder, env):
        store, twin = folder / "one" / "crm.db", folder / "two" / "crm.db"
        store.parent.mkdir()
        make_store(store, leads=scale.sites)
        shutil.copytree(store.parent, twin.parent)
        first = watch([PROGRAM, "--db", str(store), "sites", "build", "--all", "--json"], env)
        built = _pages(store)
        again = watch([PROGRAM, "--db", str(store), "sites", "build", "--all", "--json"], env)
        watch([PROGRAM, "--db", str(twin), "sites", "build", "--all", "--json"], env)
        options = ["--db", str(store), "--config", str(_config(folder))]
        public = watch([PROGRAM, *options, "sites", "publish", "--json"], env)
        unchanged = watch([PROGRAM, *options, "sites", "publish", "--json"], env)
        different = sum(
            page != other
            for pages in (_pages(store), _pages(twin))
            for page, other in zip(built.items(), pages.items(), strict=True)
        )
    at = f"{scale.sites:,} leads"
    size = f"{len(built):,} pages; {first.cpu:.1f} s of CPU, {first.seconds:.1f} s in all"
    return [
        Measure(
            "sites built", at, first.document["built"] / first.seconds, "sites/s", SITES_PER_SECOND, at_least=True,
            note=size,
        ),
        Measure("sites built again: changed", at, again.document["built"], "sites", 0),
        Measure("sites built in a copy: pages that differ", at, different, "pages", 0),
        Measure(
            "sites published to a folder", at, public.document["published"] / public.seconds,
            "sites/s", PUBLISHED_PER_SECOND, at_least=True,
            note=f"{public.document['published']:,} pages; {public.seconds:.1f} s in all",
        ),
        Measure("sites published again: changed", at, unchanged.document["published"], "sites", 0),
    ]  # fmt: skip


def _config(folder: Path) -> Path:
    """A configuration that publishes into a folder of its own."""
    (folder / "web").mkdir()
    config = folder / "config.toml"
    config.write_text(
        f"[publishing]\npath = '{folder / 'web'}'\nbase_url = 'https://previews.example.com'\n"
    )
    return config


def _pages(store: Path) -> dict[str, str]:
    """A digest of every page beside a store, by its place."""
    folder = Path(f"{store}.sites")
    return {
        str(page.relative_to(folder)): hashlib.sha256(page.read_bytes()).hexdigest()
        for page in sorted(folder.rglob("*.html"))
    }


if __name__ == "__main__":
    alone(run)
