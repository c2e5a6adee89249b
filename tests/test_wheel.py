"""The package as others get it: a wheel, installed elsewhere, away from the checkout."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from command import SMALL

ROOT = Path(__file__).resolve().parents[1]


def test_a_wheel_trains_from_elsewhere(tmp_path):
    checkout = tmp_path / "checkout"  # setuptools leaves build folders beside what it builds
    for name in ("src", "conf", "pyproject.toml", "README.md", "LICENSE"):
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy2
        checkout.mkdir(exist_ok=True)
        copy(ROOT / name, checkout / name)
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "wheel", "--no-deps", "-w", tmp_path, checkout], check=True)
    (wheel,) = tmp_path.glob("glocalk-*.whl")
    site = tmp_path / "site"
    subprocess.run([*pip, "install", "--no-deps", "--target", site, wheel], check=True)
    program = (
        "import sys; sys.path.insert(0, sys.argv.pop(1)); import glocalk.cli.train, glocalk.conf; "
        "print(glocalk.cli.train.__file__, *glocalk.conf.__path__); glocalk.cli.train.main()"
    )
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    process = subprocess.run(
        [sys.executable, "-c", program, site, *SMALL],
        cwd=elsewhere,
        env={**os.environ, "PYTHONPATH": str(site)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    module, conf = process.stdout.splitlines()[0].split()
    assert module.startswith(str(site))
    assert conf.startswith(str(site))
    assert len(list(elsewhere.glob("runs/*/record.json"))) == 1
