"""The plan of combinations: members are runs of their own, each once, before what takes them."""

from glocalk.reproduce.plan import jobs_of, make_plan
from glocalk.reproduce.runs import find_runs
from reproduce.plans import config_of

CONF = """# @package _global_
save_model: false
plan:
  - models: [ensemble, stack]
    data: [synthetic]
    seeds: [0, 1]
    sweeps: ["model.members=[bias,item_knn]"]
"""


def test_members_are_made_once_and_before_the_combinations(tmp_path):
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "both.yaml").write_text(CONF)
    config = config_of("both", f"runs_dir={tmp_path}", config_dirs=[tmp_path])
    runs, _ = find_runs(config)
    jobs = jobs_of(make_plan(runs, []))
    titles = [job.title for job in jobs]
    members = {f"synthetic {name} seed {seed}" for name in ("bias", "item_knn") for seed in (0, 1)}
    assert len(titles) == len(set(titles)) == 8
    for job in jobs:
        if "ensemble" in job.title or "stack" in job.title:
            seed = job.title.partition(" seed ")[2][0]
            needed = {title for title in members if title.endswith(seed)}
            assert {other.title for other in job.after} == needed
            assert all(titles.index(title) < titles.index(job.title) for title in needed)
        else:
            name, seed = job.title.split()[1], job.title.split()[-1]
            assert job.arguments[-2:] == (f"member={name}", f"seed={seed}")
