"""The machine and the environment -> threads, device, seed."""

import os
import sys

from loky import cpu_count

SPIN = {
    "GOMP_SPINCOUNT": "3000",  # GNU OpenMP: PyTorch on Linux
    "KMP_BLOCKTIME": "1",  # LLVM and Intel OpenMP, in ms: PyTorch on macOS and Windows
}


def settle_threads():
    """Set PyTorch's threads to the number of usable CPUs, and stop waiting threads from spinning.

    A container often sees all cores of its host but may use only one or two: loky counts those allowed by
    the affinity mask and the control group's quota.

    If a thread shares its core, the others wait for it at the end of every operation, by default in a
    busy loop that takes the core from the very thread they wait for. Settings already in the environment
    are kept. Call it before torch is imported; afterwards only the number of threads can change.
    """
    chosen = "OMP_NUM_THREADS" in os.environ
    if not chosen:
        os.environ["OMP_NUM_THREADS"] = str(cpu_count())
    if "torch" in sys.modules:
        if not chosen:
            sys.modules["torch"].set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
        return
    if "OMP_WAIT_POLICY" not in os.environ:
        for name, value in SPIN.items():
            os.environ.setdefault(name, value)


def resolve_device(device="auto"):
    """A torch.device from "auto" (CUDA, else MPS, else CPU), a name, or a torch.device.

    Raises ValueError if the name is invalid or the device is not available.
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
    """The seed; None means that of the environment variable VAE_LESSONS_SEED, or 0.

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


def progress_bar(steps, progress=True, done=0):
    """A tqdm text bar, from `done` on, that is removed when done; disabled outside a terminal or notebook."""
    from tqdm import tqdm

    watched = sys.stdout.isatty() or type(sys.stdout).__module__.startswith("ipykernel")
    return tqdm(
        total=steps,
        initial=done,
        file=sys.stdout,
        leave=False,
        ncols=80,
        mininterval=0.2,
        unit="step",
        disable=not (progress and watched),
    )


def describe():
    """One line on threads, device and versions, for the first lesson and for bug reports."""
    import torch

    device = resolve_device()
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type.upper()
    return (
        f"PyTorch {torch.__version__} on {name}, {torch.get_num_threads()} thread(s) "
        f"for the {cpu_count()} CPUs it may use (of {os.cpu_count()})."
    )
