"""The README prints what it says, and Binder installs what the README installs."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


PLACEHOLDER = re.compile(r"[/<{](OWNER|USER|ORG|YOUR[-_A-Z]*|TODO|REPO)\b|example\.(com|org)")


def numbers(text):
    return [float(n) for n in re.findall(r"-?\d+\.?\d*", re.sub(r"in [\d.]+ s on \w+", "", text))]


@pytest.mark.slow
def test_the_ten_lines_print_what_the_readme_says(capsys, monkeypatch):
    monkeypatch.delenv("VAE_LESSONS_SEED", raising=False)
    code, printed = re.search(r"```python\n(.*?)```\n\n((?:    [^\n]*\n)+)", README, flags=re.S).groups()
    assert len([line for line in code.splitlines() if line]) <= 10
    exec(code, {})
    got = capsys.readouterr().out
    assert [len(numbers(line)) for line in got.splitlines()] == [
        len(numbers(line)) for line in printed.strip().splitlines()
    ]
    assert numbers(got) == pytest.approx(numbers(printed), rel=0.03)


def test_links_and_pictures_exist():
    for target in re.findall(r"\]\(([^)]+)\)", README):
        if not target.startswith("http"):
            path, _, anchor = target.partition("#")
            assert (ROOT / path).exists(), target
            if anchor:
                headings = re.findall(r"^#+ (.*)$", (ROOT / path).read_text(encoding="utf-8"), flags=re.M)
                assert anchor in [heading.lower().replace(" ", "-") for heading in headings], target
    assert (ROOT / "notebooks" / "00_start_here.ipynb").exists()


def test_no_link_is_a_placeholder():
    pages = [README, *(path.read_text(encoding="utf-8") for path in (ROOT / "notebooks").glob("*.ipynb"))]
    pages.append((ROOT / "tests" / "README.md").read_text(encoding="utf-8"))
    for page in pages:
        for target in re.findall(r"\]\(([^)\s]+)\)", page):
            assert not re.search(
                r"[/<{](OWNER|USER|ORG|YOUR[-_A-Z]*|TODO|REPO)\b|example\.(com|org)", target
            ), target


def test_both_commands_are_one_line_and_install_the_requirements():
    commands = re.findall(r"^    (python3 .*)$", README, flags=re.M)
    assert len(commands) == 2
    assert all("-m venv .venv" in c and "install -q -r requirements.txt" in c for c in commands)
    assert commands[0].endswith("jupyter lab notebooks/00_start_here.ipynb")
    assert commands[1].endswith(".venv/bin/pytest")


def requirements(path):
    lines = (ROOT / path).read_text(encoding="utf-8").splitlines()
    lines = [line.split("#")[0].strip() for line in lines]
    return {re.match(r"[\w-]+", line)[0]: line for line in lines if line and line[0] != "-"}


def test_binder_installs_the_same_as_the_readme():
    root, binder = requirements("requirements.txt"), requirements("binder/requirements.txt")
    package = re.search(r"dependencies = \[(.*?)\]", (ROOT / "pyproject.toml").read_text(), flags=re.S)[1]
    package = dict(re.findall(r'"([\w-]+)([^"]*)"', package))
    # Binder's base has JupyterLab; the package goes in without its dependencies, so they are listed.
    assert set(binder) == (set(root) | set(package)) - {"jupyterlab"}
    for name in set(binder) - {"torch", "torchvision"}:
        assert binder[name] == (root.get(name) or name + package[name])
    for name in ("torch", "torchvision"):
        assert re.fullmatch(rf"{name}==[\d.]+\+cpu", binder[name])
    for name, bound in package.items():
        assert root.get(name, name + bound) == name + bound


def test_binder_opens_the_first_lesson_and_installs_the_package():
    assert "mybinder.org" in README
    assert "`/lab/tree/notebooks/00_start_here.ipynb`" in README
    assert "pip install --no-deps" in (ROOT / "binder" / "postBuild").read_text()
    assert (ROOT / "binder" / "runtime.txt").read_text().strip() == "python-3.11"
