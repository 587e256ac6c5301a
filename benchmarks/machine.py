"""What one has to know of a machine to judge its figures; nothing that tells whose it is."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Any


def machine_facts(folder: Path) -> dict[str, Any]:
    """Return processors, memory, system, and the kind of file system that a folder lies on."""
    return {
        "system": platform.system(),
        "architecture": platform.machine(),
        "cpu": _cpu_model(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_gigabytes": _memory_gigabytes(),
        "filesystem": _filesystem_of(folder),
        "load_before": round(os.getloadavg()[0], 2),
    }


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return platform.processor() or "unknown"
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")


def _memory_gigabytes() -> int | None:
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30)
    except (OSError, ValueError):
        return None


def _filesystem_of(folder: Path) -> str:
    try:
        mounts = Path("/proc/mounts").read_text("utf-8")
    except OSError:
        return "unknown"
    return filesystem_in(mounts, folder.resolve())


def filesystem_in(mounts: str, folder: Path) -> str:
    """Return the kind of file system that holds a folder, by a table as in /proc/mounts; the deepest one counts."""
    rows = [line.split() for line in mounts.splitlines()]
    holding = [
        (len(Path(place).parts), position, kind)
        for position, (_, place, kind, *_) in enumerate(rows)
        if folder.is_relative_to(place)
    ]
    return max(holding)[2] if holding else "unknown"
