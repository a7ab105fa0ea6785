"""Threads, device and seed: what the machine and the environment say, and a busy neighbour."""

import json
import os
import subprocess
import sys

import pytest
import torch
from loky import cpu_count

from vae_lessons.runtime import describe, resolve_device, resolve_seed

LIMIT = "LOKY_MAX_CPU_COUNT"  # stands here for a container's quota
SETTINGS = ("OMP_NUM_THREADS", "OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME", LIMIT)


def sentence(raised):
    """What a caught error says, once it is known to be one line that hides where it comes from."""
    message = str(raised.value)
    assert "\n" not in message
    assert raised.value.__cause__ is None
    assert raised.value.__context__ is None or raised.value.__suppress_context__
    return message


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
    assert found["OMP_NUM_THREADS"] == str(cpu_count())
    assert 0 < int(found["GOMP_SPINCOUNT"]) <= 10_000
    assert 0 < int(found["KMP_BLOCKTIME"]) <= 10
    assert found["OMP_WAIT_POLICY"] is None
    assert python(ENVIRONMENT, **{LIMIT: "1"})["OMP_NUM_THREADS"] == "1"


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
        ("vae_lessons, torch", {LIMIT: "1"}, 1),
        ("torch, vae_lessons", {LIMIT: "1"}, 1),
        ("torch, vae_lessons", {LIMIT: "1", "OMP_NUM_THREADS": "2"}, 2),
    ],
)
def test_torch_uses_that_many_threads_whichever_is_imported_first(first, environment, threads):
    code = f"import json, {first}; print(json.dumps(torch.get_num_threads()))"
    assert python(code, **environment) == threads


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
            for word in (torch.__version__, "CPU", f"{threads} thread", str(cpu_count())):
                assert word in line
    finally:
        torch.set_num_threads(before)
