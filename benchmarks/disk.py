"""Measure what environments of one lock take on disk, caches and whatever else a tool keeps included."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.contestants import FOR_DISK
from benchmarks.disk_usage import bytes_of_files, bytes_used, can_clone
from benchmarks.environments import run_model
from benchmarks.machine import machine_facts
from benchmarks.results import Disk

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.contestants import Way
    from benchmarks.workshop import Job, Workshop


_TWO = 2


def measure_disk(shop: Workshop, job: Job, *, environments: int) -> list[Disk]:
    """Return what each contestant needs, beginning with empty caches."""
    # What copies everything takes the same again each time
    return [_measure(shop, job, way, _TWO if way.slow else environments) for way in FOR_DISK]


def _measure(shop: Workshop, job: Job, way: Way, environments: int) -> Disk:
    caches = shop.new_caches()
    folders: list[Path] = []
    after_each: list[int] = []
    # Of files that are clones of one another only the file system knows what they share
    begun = bytes_used(shop.folder) if can_clone(shop.folder) else None

    def taken() -> int:
        return bytes_of_files([caches.folder, *folders]) if begun is None else bytes_used(shop.folder) - begun

    for _ in range(environments):
        folders.append(shop.new_folder("environment"))
        for words in way.commands(shop, job, folders[-1]):
            shop.do(words, caches=caches)
        shop.settle(caches)
        after_each.append(taken())
    own = bytes_of_files(folders[:1])
    after_model = [after_each[-1]]
    for folder in folders[:2]:
        run_model(job, folder, caches)
        shop.settle(caches)
        after_model.append(taken())
    disk = Disk(
        profile=job.profile,
        contestant=way.contestant,
        filesystem=machine_facts(shop.folder)["filesystem"],
        environments=environments,
        own=own,
        after_each=tuple(after_each),
        second_after_model=after_each[1] - after_each[0] + after_model[2] - after_model[1],
    )
    print(
        f"    {way.contestant:<22} own {own / 1e6:.0f} MB, second {disk.second / 1e6:.1f} MB, "
        f"{environments} take {after_each[-1] / 1e6:.0f} MB",
        flush=True,
    )
    return disk
