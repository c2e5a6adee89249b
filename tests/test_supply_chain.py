"""What is installed and run is pinned: packages by hash, build tools, actions by commit."""

import re
import subprocess
import tomllib
from importlib.metadata import distribution
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def locked(name):
    """Version and hashes by package of a file of requirements."""
    text = (ROOT / name).read_text().replace("\\\n", " ")
    found = {}
    for line in text.splitlines():
        if line and not line.startswith("#"):
            requirement, *hashes = line.split("--hash=sha256:")
            parsed = Requirement(requirement)
            (only,) = parsed.specifier
            assert only.operator == "=="
            found[canonicalize_name(parsed.name)] = only.version, [each.strip() for each in hashes]
    return found


def needed(requirements, extras=("",)):
    """The packages that these requirements need on this machine, those of torch's build apart."""
    names, todo = set(), [(Requirement(each), extras) for each in requirements]
    while todo:
        requirement, wanted = todo.pop()
        marker = requirement.marker
        if marker and not any(marker.evaluate({"extra": extra}) for extra in wanted):
            continue
        name = canonicalize_name(requirement.name)
        if name in names:
            continue
        names.add(name)
        within = tuple(requirement.extras) or ("",)
        todo += [(Requirement(each), within) for each in distribution(name).requires or []]
    return names


@pytest.mark.parametrize(
    "name", ["constraints.txt", "build-constraints.txt", "release-constraints.txt"]
)
def test_every_locked_package_has_hashes(name):
    packages = locked(name)
    assert packages
    for package, (_, hashes) in packages.items():
        assert hashes, package
        assert all(re.fullmatch("[0-9a-f]{64}", each) for each in hashes), package


def test_all_that_setup_installs_is_locked_but_torch():
    options = PROJECT["project"]["optional-dependencies"]
    wanted = needed(PROJECT["project"]["dependencies"] + options["dev"])
    assert wanted - locked("constraints.txt").keys() == {"torch"}


def test_locked_versions_are_those_that_the_project_allows():
    packages = locked("constraints.txt")
    for each in PROJECT["project"]["dependencies"]:
        requirement = Requirement(each)
        name = canonicalize_name(requirement.name)
        assert name == "torch" or requirement.specifier.contains(packages[name][0]), name


def test_filelock_is_newer_than_its_race_condition():
    (found,) = (each for each in PROJECT["project"]["dependencies"] if each.startswith("filelock"))
    assert not Requirement(found).specifier.contains("3.20.2")


def test_build_requirements_are_those_of_the_project():
    (build,) = PROJECT["build-system"]["requires"]
    ((name, (version, hashes)),) = locked("build-constraints.txt").items()
    assert build == f"{name}=={version}"
    assert (version, hashes) == locked("constraints.txt")[name]


def test_torch_is_one_release_in_set_up_and_a_range_in_the_package():
    (pin,) = re.findall(r"^TORCH := (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    (exact,) = Requirement(pin).specifier
    assert exact.operator == "=="
    (allowed,) = (each for each in PROJECT["project"]["dependencies"] if each.startswith("torch>"))
    versions = Requirement(allowed).specifier
    assert versions.contains(exact.version)
    assert distribution("torch").version.split("+")[0] == exact.version
    # Before 2.10, torch.load(weights_only=True) was unsafe on files of others: CVE-2026-24747.
    assert not versions.contains("2.9.1")
    assert not versions.contains("3.0.0")


def test_torch_comes_from_one_index():
    assert "extra-index-url" not in (ROOT / "Makefile").read_text()


def test_a_tag_is_no_part_of_a_command():
    # git allows `v1;id` as the name of a tag, and release.yml hands it to make.
    command = ["make", "--dry-run", "dist", "TAG=v1;id"]
    made = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert '.ci/dist.py dist "$TAG"' in made
    assert "v1;id" not in made


# What a job may do beyond reading the repository; all others may do nothing else.
PERMISSIONS = {
    ("docs.yml", "deploy"): {"pages": "write", "id-token": "write"},
    ("release.yml", "attest"): {"id-token": "write", "attestations": "write"},
    ("release.yml", "publish"): {"id-token": "write"},
    ("release.yml", "release"): {"contents": "write"},
}


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_workflows_pin_actions_by_commit_and_name_their_version(path):
    text = path.read_text()
    used = re.findall(r"uses:.*", text)
    assert used
    for line in used:
        assert re.fullmatch(r"uses: [\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", line), line
    workflow = yaml.safe_load(text)
    steps = [step for job in workflow["jobs"].values() for step in job["steps"]]
    assert sum("uses" in step for step in steps) == len(used)
    for step in steps:
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False


def test_workflows_take_each_action_at_one_commit():
    used = {line for path in WORKFLOWS for line in re.findall(r"uses: (\S+)@", path.read_text())}
    pins = {pin for path in WORKFLOWS for pin in re.findall(r"uses: (.*)", path.read_text())}
    assert len(pins) == len(used)


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_workflows_and_their_jobs_have_the_least_permissions(path):
    workflow = yaml.safe_load(path.read_text())
    assert workflow["permissions"] in ({}, {"contents": "read"})
    for name, job in workflow["jobs"].items():
        expected = PERMISSIONS.get((path.name, name), {"contents": "read"})
        assert job["permissions"] == expected, name
        assert 0 < job["timeout-minutes"] <= 60
    # What a person outside the project can start sees no token that may write.
    triggers = workflow[True]  # YAML reads the key `on` as true
    assert not {"pull_request_target", "workflow_run", "issue_comment"} & set(triggers)
