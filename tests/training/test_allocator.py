import platform
import subprocess
import sys

import pytest

# Page faults of twenty matrices of 8 MB, made and freed one after another.
FAULTS = """
import resource
import numpy as np
from glocalk.training.allocator import keep_what_is_freed
{first}
def make(): np.ones(2**20)
make()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20): make()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the C library is not glibc")
def test_freed_memory_is_reused_without_page_faults():
    faults = []
    for first in ("", "keep_what_is_freed()"):
        code = FAULTS.format(first=first)
        process = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        )
        faults.append(int(process.stdout))
    given_back, kept = faults
    assert kept < given_back / 10
