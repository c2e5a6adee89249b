import subprocess
import sys

HEAVY = ("torch", "lightning", "hydra", "omegaconf", "matplotlib.pyplot")


def test_reports_need_no_training_library():
    code = (
        "import sys, glocalk.cli.report, glocalk.report.local\n"
        "import glocalk.report.render, glocalk.report.promote, glocalk.records.migrate\n"
        f"print([name for name in {HEAVY} if name in sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout == "[]\n"
