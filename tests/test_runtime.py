"""Threads, device and seed: what the machine and the environment say, and a busy neighbour."""

import json
import os
import subprocess
import sys

import pytest
import torch

from vae_lessons.runtime import available_cpus, describe, resolve_device, resolve_seed

SETTINGS = ("OMP_NUM_THREADS", "OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME", "CPU_LIMIT")


def sentence(raised):
    """What a caught error says, once it is known to be one line that hides where it comes from."""
    message = str(raised.value)
    assert "\n" not in message
    assert raised.value.__cause__ is None
    assert raised.value.__context__ is None or raised.value.__suppress_context__
    return message


# CPUs -------------------------------------------------------------------------------------------


@pytest.fixture
def eight(monkeypatch):
    """A machine that shows eight CPUs."""
    monkeypatch.delenv("CPU_LIMIT", raising=False)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)), raising=False)


def cpus(tmp_path, groups, files):
    """available_cpus, where Linux shows these control groups; None is a file that is missing."""
    root = tmp_path / "cgroup"
    root.mkdir()
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    if groups is not None:
        (tmp_path / "groups").write_bytes(groups if isinstance(groups, bytes) else groups.encode())
    return available_cpus(root, tmp_path / "groups")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("100000 100000\n", 1),
        ("150000 100000\n", 1),
        ("200000 100000\n", 2),
        ("290000 100000\n", 2),
        ("30000 10000\n", 3),
        ("5000 100000\n", 1),
        ("1600000 100000\n", 8),
        ("max 100000\n", 8),
        ("-1 100000\n", 8),
        ("0 100000\n", 8),
        ("100000\n", 8),
        ("100000 0\n", 8),
        ("nan nan\n", 8),
        ("garbage\n", 8),
        ("", 8),
        (b"\xff\xfe\x00\x80", 8),
    ],
)
def test_a_quota_of_version_2(eight, tmp_path, content, expected):
    assert cpus(tmp_path, "0::/\n", {"cpu.max": content}) == expected


@pytest.mark.parametrize(
    ("quota", "period", "expected"),
    [
        ("100000", "100000", 1),
        ("150000", "100000", 1),
        ("200000", "100000", 2),
        ("60000", "20000", 3),
        ("-1", "100000", 8),
        ("garbage", "100000", 8),
        ("200000", "0", 8),
        ("200000", None, 8),
    ],
)
@pytest.mark.parametrize("controllers", ["cpu", "cpu,cpuacct", "cpuacct,cpu"])
def test_a_quota_of_version_1(eight, tmp_path, controllers, quota, period, expected):
    files = {f"{controllers}/cpu.cfs_quota_us": quota, f"{controllers}/cpu.cfs_period_us": period}
    files = {name: content for name, content in files.items() if content is not None}
    assert cpus(tmp_path, f"5:memory:/\n4:{controllers}:/\n1:name=systemd:/\n0::/\n", files) == expected


def v1(folder, quota):
    return {f"{folder}/cpu.cfs_quota_us": str(quota), f"{folder}/cpu.cfs_period_us": "100000"}


@pytest.mark.parametrize(
    ("groups", "files", "expected"),
    [
        ("0::/a/b", {"a/b/cpu.max": "300000 100000"}, 3),
        ("0::/a/b", {"a/cpu.max": "200000 100000", "a/b/cpu.max": "400000 100000"}, 2),
        ("0::/a/b", {"a/cpu.max": "400000 100000", "a/b/cpu.max": "200000 100000"}, 2),
        ("0::/a/b", {"a/cpu.max": "max 100000", "a/b/cpu.max": "400000 100000"}, 4),
        ("0::/a/b", {"a/cpu.max": "200000 100000"}, 2),
        ("0::/a/b", {"cpu.max": "500000 100000"}, 5),
        ("0::/a/b", {"other/cpu.max": "100000 100000", "b/cpu.max": "100000 100000"}, 8),
        ("0::/../a", {"cpu.max": "300000 100000"}, 3),
        ("0::/of:colons", {"of:colons/cpu.max": "300000 100000"}, 3),
        ("4:cpu:/a/b", v1("cpu/a/b", 300_000), 3),
        ("4:cpu:/a/b", {**v1("cpu/a", 200_000), **v1("cpu/a/b", -1)}, 2),
        ("4:cpu:/docker/name", v1("cpu", 200_000), 2),  # the container's own group is the root it sees
        ("4:cpuset:/a\n3:cpu:/", v1("cpu/a", 200_000), 8),  # another controller's group
        ("4:cpu:/\n0::/a", {"unified/a/cpu.max": "300000 100000"}, 3),
        ("garbage", {"cpu.max": "300000 100000"}, 3),
        ("", {"cpu.max": "300000 100000"}, 3),
        (None, {"cpu.max": "300000 100000"}, 3),
        (b"\xff\xfe\x80", {"cpu.max": "300000 100000"}, 3),
        (b"0::/a\x00b", {}, 8),
        ("0::/a", {}, 8),
        (None, {}, 8),
    ],
)
def test_groups_within_groups(eight, tmp_path, groups, files, expected):
    assert cpus(tmp_path, groups, files) == expected


@pytest.mark.parametrize(("count", "expected"), [(4, 4), (1, 1), (None, 1)])
def test_a_machine_without_control_groups_or_affinity(monkeypatch, tmp_path, count, expected):
    monkeypatch.delenv("CPU_LIMIT", raising=False)
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: count)
    assert cpus(tmp_path, None, {}) == expected


@pytest.mark.parametrize(
    ("limit", "expected"),
    [
        *[("2", 2), ("1.5", 1), ("0.2", 1), ("64", 8), ("inf", 8)],
        *[("0", 8), ("-3", 8), ("", 8), ("two", 8), ("nan", 8)],
    ],
)
def test_the_limit_that_jupyterhub_sets(eight, monkeypatch, tmp_path, limit, expected):
    nothing = tmp_path / "root", tmp_path / "groups"
    assert available_cpus(*nothing, limit=limit) == expected
    monkeypatch.setenv("CPU_LIMIT", limit)
    assert available_cpus(*nothing) == expected


def test_the_least_of_all_limits_counts(eight, monkeypatch, tmp_path):
    monkeypatch.setenv("CPU_LIMIT", "5")
    assert cpus(tmp_path, None, {"cpu.max": "300000 100000"}) == 3
    monkeypatch.setenv("CPU_LIMIT", "2")
    assert available_cpus(tmp_path / "cgroup", tmp_path / "groups") == 2


def test_this_machine_has_at_least_one_cpu():
    assert 1 <= available_cpus() <= os.cpu_count()


# Threads ----------------------------------------------------------------------------------------


def python(code, timeout=60, **environment):
    """What a fresh Python prints as JSON, with none of the thread settings but these."""
    inherited = {name: value for name, value in os.environ.items() if name not in SETTINGS}
    command = [sys.executable, "-c", code]
    done = subprocess.run(
        command, env=inherited | environment, capture_output=True, text=True, timeout=timeout
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


ENVIRONMENT = f"""
import json, os, sys, vae_lessons
assert "torch" not in sys.modules
print(json.dumps({{name: os.environ.get(name) for name in {SETTINGS!r}}}))
"""


def test_what_the_user_has_not_set_is_set():
    found = python(ENVIRONMENT)
    assert found["OMP_NUM_THREADS"] == str(available_cpus(limit=""))
    assert 0 < int(found["GOMP_SPINCOUNT"]) <= 10_000
    assert 0 < int(found["KMP_BLOCKTIME"]) <= 10
    assert found["OMP_WAIT_POLICY"] is None
    assert python(ENVIRONMENT, CPU_LIMIT="1")["OMP_NUM_THREADS"] == "1"


@pytest.mark.parametrize(
    ("name", "value"),
    [("OMP_NUM_THREADS", "7"), ("GOMP_SPINCOUNT", "12345"), ("KMP_BLOCKTIME", "77")],
)
def test_what_the_user_has_set_stays(name, value):
    default = python(ENVIRONMENT)
    assert python(ENVIRONMENT, **{name: value}) == default | {name: value}


@pytest.mark.parametrize("policy", ["ACTIVE", "PASSIVE"])
def test_a_user_who_says_how_to_wait_is_not_told_how_long(policy):
    found = python(ENVIRONMENT, OMP_WAIT_POLICY=policy)
    assert found["OMP_WAIT_POLICY"] == policy
    assert (found["GOMP_SPINCOUNT"], found["KMP_BLOCKTIME"]) == (None, None)


@pytest.mark.skipif(os.cpu_count() < 2, reason="PyTorch takes one thread in any case on one CPU.")
@pytest.mark.parametrize(
    ("first", "environment", "threads"),
    [
        ("vae_lessons, torch", {"CPU_LIMIT": "1"}, 1),
        ("torch, vae_lessons", {"CPU_LIMIT": "1"}, 1),
        ("torch, vae_lessons", {"CPU_LIMIT": "1", "OMP_NUM_THREADS": "2"}, 2),
    ],
)
def test_torch_uses_that_many_threads_whichever_is_imported_first(first, environment, threads):
    code = f"import json, {first}; print(json.dumps(torch.get_num_threads()))"
    assert python(code, **environment) == threads


TRAINING = """
import json, os, statistics, subprocess, sys, time
import torch
from torch import nn

BUSY = "import time; print(flush=True); end = time.time() + 10\\nwhile time.time() < end: pass"
torch.manual_seed(0)
layers = [nn.Linear(784, 400), nn.ReLU(), nn.Linear(400, 20), nn.Linear(20, 400), nn.ReLU()]
net = nn.Sequential(*layers, nn.Linear(400, 784))
adam = torch.optim.Adam(net.parameters())
x = torch.rand(128, 784)
threads = torch.get_num_threads()

def step():
    start = time.perf_counter()
    loss = nn.functional.binary_cross_entropy_with_logits(net(x), x)
    adam.zero_grad()
    loss.backward()
    adam.step()
    return 1000 * (time.perf_counter() - start)

def steps(threads):  # the times of 40, or as many as 0.4 seconds have room for
    torch.set_num_threads(threads)
    step()
    end = time.perf_counter() + 0.4
    return [step() for i in range(40) if i == 0 or time.perf_counter() < end]

alone, beside, single = [], [], []
for _ in range(int(os.environ["ROUNDS"])):  # in turns: other work here meets all three alike
    alone += steps(threads)
    busy = subprocess.Popen([sys.executable, "-c", BUSY], stdout=subprocess.PIPE)
    try:
        busy.stdout.readline()
        beside += steps(threads)
        single += steps(1)
    finally:
        busy.kill()
        busy.wait()
print(json.dumps([threads, *map(statistics.mean, (alone, beside, single))]))
"""


def measured(first="", rounds="3"):
    """Mean ms a step with all threads alone and beside a busy process, and with one beside it.

    The mean, since it is the few steps of half a second that hurt; the median may be without any.
    """
    threads, alone, beside, single = python(first + TRAINING, ROUNDS=rounds)
    print(
        f"{first or 'without the package'}: {threads} threads {alone:.1f} ms a step alone, "
        f"{beside:.1f} beside a busy process ({beside / alone:.1f} times); one thread {single:.1f}."
    )
    return threads, alone, beside, single


@pytest.mark.alone
@pytest.mark.skipif(available_cpus() < 2, reason="A thread can only wait for another on two CPUs or more.")
def test_a_busy_neighbour_does_not_stop_the_training():
    measured(rounds="1")  # for the reader of the output: what PyTorch does by itself
    for _ in range(3):  # other work on this machine is a neighbour as well, which comes and goes
        threads, alone, beside, single = measured("import vae_lessons")
        assert threads == available_cpus()
        if max(beside / alone, beside / single) < 3:
            break
    assert beside < 3 * alone
    assert beside < 3 * single  # where other work slows `alone` down too, one thread still is a measure


# Device, seed, description ------------------------------------------------------------------------


def machine(monkeypatch, cuda=0, mps=False):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)


@pytest.mark.parametrize(
    ("here", "device", "expected"),
    [
        ({}, "auto", "cpu"),
        ({}, "cpu", "cpu"),
        ({}, torch.device("cpu"), "cpu"),
        ({"cuda": 1}, "auto", "cuda"),
        ({"cuda": 1}, "cpu", "cpu"),
        ({"cuda": 2}, "cuda:1", "cuda:1"),
        ({"mps": True}, "auto", "mps"),
        ({"mps": True}, "mps", "mps"),
        ({"cuda": 1, "mps": True}, "auto", "cuda"),
    ],
)
def test_a_device_that_is_here(monkeypatch, here, device, expected):
    machine(monkeypatch, **here)
    assert resolve_device(device) == torch.device(expected)


def test_the_default_device_is_the_best_one(monkeypatch):
    machine(monkeypatch, cuda=1)
    assert resolve_device() == torch.device("cuda")


@pytest.mark.parametrize(
    ("here", "device"),
    [
        ({}, "cuda"),
        ({}, "cuda:0"),
        ({}, torch.device("cuda")),
        ({}, "mps"),
        ({"mps": True}, "cuda"),
        ({"cuda": 1}, "mps"),
        ({"cuda": 1}, "cuda:1"),
        ({"cuda": 2}, "cuda:999"),
        ({}, "cpu:3"),
        ({}, "meta"),
        ({}, "gpu"),
        ({}, "CUDA"),
        ({}, ""),
        ({}, None),
        ({}, 2.5),
        ({}, -1),
        ({}, 10**30),
        ({}, ["cpu"]),
    ],
)
def test_a_device_that_is_not_here(monkeypatch, here, device):
    machine(monkeypatch, **here)
    with pytest.raises(ValueError, match="device") as raised:
        resolve_device(device)
    message = sentence(raised)
    assert '"auto"' in message
    assert '"cpu"' in message


@pytest.mark.parametrize("seed", [0, 1, 12345, 2**53 + 1, 2**63 - 1])
def test_a_seed_is_itself_as_a_number_or_in_words(monkeypatch, seed):
    monkeypatch.setenv("VAE_LESSONS_SEED", "99")
    assert resolve_seed(seed) == seed
    assert resolve_seed(str(seed)) == seed
    assert torch.Generator().manual_seed(resolve_seed(seed)).initial_seed() == seed
    monkeypatch.setenv("VAE_LESSONS_SEED", str(seed))
    assert resolve_seed() == seed


@pytest.mark.parametrize("seed", [3.0, torch.tensor(3), torch.ones(3).sum().numpy()])
def test_a_whole_number_of_another_type_is_a_seed(seed):
    assert resolve_seed(seed) == 3
    assert type(resolve_seed(seed)) is int


def test_without_a_seed_it_is_0(monkeypatch):
    monkeypatch.delenv("VAE_LESSONS_SEED", raising=False)
    assert resolve_seed() == 0


WORDS = ["", "-1", "2.5", "1e3", "many", "nan", "inf", str(2**63)]


@pytest.mark.parametrize(
    "seed",
    [*WORDS, -1, 2.5, 2**63, float("nan"), float("inf"), True, [3], torch.tensor(2.5), torch.ones(2)],
)
def test_seeds_that_cannot_be(seed):
    with pytest.raises(ValueError, match=r"^seed must be a whole number") as raised:
        resolve_seed(seed)
    assert repr(seed) in sentence(raised)


@pytest.mark.parametrize("word", WORDS)
def test_seeds_of_the_environment_that_cannot_be(monkeypatch, word):
    monkeypatch.setenv("VAE_LESSONS_SEED", word)
    with pytest.raises(ValueError, match=r"^VAE_LESSONS_SEED must be a whole number") as raised:
        resolve_seed()
    assert repr(word) in sentence(raised)


def test_the_description_is_one_line_with_threads_device_and_version(monkeypatch):
    machine(monkeypatch)
    before = torch.get_num_threads()
    try:
        for threads in (1, 3):
            torch.set_num_threads(threads)
            line = describe()
            assert "\n" not in line
            for word in (torch.__version__, "CPU", f"{threads} thread", str(available_cpus())):
                assert word in line
    finally:
        torch.set_num_threads(before)
