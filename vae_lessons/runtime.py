"""The machine and the environment -> threads, device, seed."""

import contextlib
import os
import sys
from pathlib import Path

SPIN = {
    "GOMP_SPINCOUNT": "3000",  # GNU OpenMP: PyTorch on Linux
    "KMP_BLOCKTIME": "1",  # LLVM and Intel OpenMP, in ms: PyTorch on macOS and Windows
}


def available_cpus(root="/sys/fs/cgroup", groups="/proc/self/cgroup", limit=None):
    """The CPUs that this process may really use: the least of affinity, cgroup quota and CPU_LIMIT.

    A container often sees all cores of its host and may use one or two. `root` and `groups` are
    where Linux shows the control groups (v1 or v2); `limit` stands for the variable CPU_LIMIT that
    JupyterHub sets. At least 1; a quota of 1.5 CPUs counts as 1.
    """
    affinity = getattr(os, "sched_getaffinity", None)
    found = [float(len(affinity(0)) if affinity else os.cpu_count() or 1)]
    found += _quotas(Path(root), Path(groups))
    with contextlib.suppress(ValueError):
        found.append(float(limit if limit is not None else os.environ.get("CPU_LIMIT", "")))
    return max(1, int(min(cpus for cpus in found if cpus > 0)))


def _quotas(root, groups):
    """The quota, in CPUs, of this process's control group and of each group above it."""
    lines = _read(groups).splitlines() or ["0::/"]
    for line in lines:
        _, controllers, path = [*line.split(":", 2), "", ""][:3]
        if controllers and "cpu" not in controllers.split(","):
            continue
        below = Path(path.lstrip("/"))
        for group in [below, *below.parents]:
            for base in (root, root / "cpu", root / controllers, root / "unified"):
                yield from _quota(base / group)


def _quota(folder):
    quota = _read(folder / "cpu.max").split()  # v2: "150000 100000" or "max 100000"
    if not quota:  # v1: two files, -1 where there is no limit
        quota = [_read(folder / f"cpu.cfs_{name}_us").strip() for name in ("quota", "period")]
    try:
        cpus = float(quota[0]) / float(quota[1])
    except (ValueError, IndexError, ZeroDivisionError):
        return
    if cpus > 0:
        yield cpus


def _read(path):
    try:
        return path.read_text()
    except (OSError, ValueError):  # ValueError: not text, or no path
        return ""


def settle_threads():
    """Give PyTorch as many threads as there are CPUs, and keep waiting threads from spinning.

    Where a thread has to share its core, the others wait for it at the end of every operation, by
    default in a busy loop that takes the core from the thread they wait for. Settings that the
    user has made in the environment stay. It works best before torch is imported; afterwards only
    the number of threads can change.
    """
    chosen = "OMP_NUM_THREADS" in os.environ
    if not chosen:
        os.environ["OMP_NUM_THREADS"] = str(available_cpus())
    if "torch" in sys.modules:
        if not chosen:
            sys.modules["torch"].set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
        return
    if "OMP_WAIT_POLICY" not in os.environ:
        for name, value in SPIN.items():
            os.environ.setdefault(name, value)


def resolve_device(device="auto"):
    """A torch.device from "auto" (CUDA, else MPS, else CPU), a name, or a torch.device.

    Raises ValueError if the name is not a device's, or no such device is here.
    """
    import torch

    if device == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(device)
    except (RuntimeError, TypeError, ValueError):
        raise ValueError(f'device must be "auto", "cpu", "cuda" or "mps", not {device!r}.') from None
    here = {
        "cpu": 1,
        "cuda": torch.cuda.device_count(),
        "mps": int(torch.backends.mps.is_available()),
    }
    if (device.index or 0) not in range(here.get(device.type, 0)):
        raise ValueError(f'There is no device {device} here; use device="auto" or "cpu".')
    return device


def resolve_seed(seed=None):
    """The seed itself, or, for None, that of the environment variable VAE_LESSONS_SEED, or 0.

    Raises ValueError if it is not a whole number from 0 to 2**63 - 1.
    """
    given = os.environ.get("VAE_LESSONS_SEED", "0") if seed is None else seed
    try:
        value = int(given)
        whole = isinstance(given, str) or value == given
        if isinstance(given, bool) or not whole or not 0 <= value < 2**63:
            raise ValueError
    except (OverflowError, TypeError, ValueError):
        where = "VAE_LESSONS_SEED" if seed is None else "seed"
        raise ValueError(f"{where} must be a whole number from 0 to 2**63 - 1, not {given!r}.") from None
    return value


def progress_bar(steps, progress=True):
    """A text bar of tqdm, which a stored notebook keeps no trace of; none where nobody watches."""
    from tqdm import tqdm

    watched = sys.stdout.isatty() or type(sys.stdout).__module__.startswith("ipykernel")
    return tqdm(
        total=steps, file=sys.stdout, leave=False, ncols=80, mininterval=0.2, unit="step",
        disable=not (progress and watched),
    )  # fmt: skip


def describe():
    """One line on threads, device and versions, for the first lesson and for bug reports."""
    import torch

    device = resolve_device()
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type.upper()
    return (
        f"PyTorch {torch.__version__} on {name}, {torch.get_num_threads()} thread(s) "
        f"for the {available_cpus()} CPUs it may use (of {os.cpu_count()})."
    )
