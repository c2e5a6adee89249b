"""Where a result comes from: commit, versions, device, memory."""

from __future__ import annotations

import importlib.metadata
import platform
import re
import resource
import subprocess
from pathlib import Path

import torch

_LIBRARIES = (
    "glocalk",
    "torch",
    "lightning",
    "torchmetrics",
    "hydra-core",
    "numpy",
    "scipy",
    "numba",
)
_ROOT = Path(__file__).resolve().parents[3]
_CODE = ("src", "conf")  # what can change a number


def commit() -> tuple[str | None, bool]:
    """Commit of the checkout this code runs from, and whether its code differs from it.

    (None, False) outside a checkout of this project.
    """
    if not (_ROOT / "src" / "glocalk" / "run").is_dir():
        return None, False
    head = _git("rev-parse", "HEAD")
    changes = _git("status", "--porcelain", "--", *_CODE)
    return head, bool(changes)


def versions() -> dict[str, str]:
    """Versions of Python and of the libraries that compute."""
    found = {"python": platform.python_version()}
    for name in _LIBRARIES:
        found[name] = importlib.metadata.version(name)
    return found


def device(accelerator: str) -> str:
    """What the trainer computes on: `cpu`, or the graphics card's name."""
    if accelerator in ("gpu", "cuda", "auto") and torch.cuda.is_available():
        return torch.cuda.get_device_name()
    return "cpu"


def cpu() -> str:
    """The processor's name, if the system tells it."""
    try:
        found = re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text())
    except OSError:
        found = None
    return found[1] if found else platform.processor() or platform.machine()


def reset_peak_memory() -> None:
    """Reset the peak, if the system allows it (Linux)."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return  # the peak is then that of the whole process


def peak_memory_mb() -> float:
    """Peak resident memory in MB (10⁶ bytes) since `reset_peak_memory`."""
    try:
        status = Path("/proc/self/status").read_text()
        peak = re.search(r"VmHWM:\s+(\d+) kB", status)
    except OSError:
        peak = None
    kilobytes = int(peak[1]) if peak else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(kilobytes * 1024 / 1e6, 1)


def _git(*arguments: str) -> str | None:
    # Without optional locks: a stopped run ends git, which would leave its lock in the checkout.
    command = ["git", "--no-optional-locks", "-C", str(_ROOT), *arguments]
    try:
        result = subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return result.stdout.strip()
