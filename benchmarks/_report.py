"""Prints tables in Markdown, and the device and versions of the measurements."""

import os
import platform
import re
import subprocess
import sys
from pathlib import Path

# A fresh page of memory costs up to 2 us, by machine, and would be most of the time of
# packages that allocate. So the C library keeps what they free, in huge pages.
KEPT_MEMORY = {
    "GLIBC_TUNABLES": "glibc.malloc.arena_max=1:glibc.malloc.hugetlb=1"
    ":glibc.malloc.mmap_threshold=4294967296:glibc.malloc.trim_threshold=17179869184"
}


def cores() -> int:
    """The number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def processor() -> str:
    """The name of the CPU."""
    try:
        lines = Path("/proc/cpuinfo").read_text()
    except FileNotFoundError:
        lines = ""
    found = re.search(r"model name\s*: (.+)", lines)
    return found[1] if found else platform.processor() or platform.machine()


def gpus() -> list[str]:
    """The names of the GPUs, in the order of their numbers."""
    command = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
    try:
        done = subprocess.run(command, capture_output=True, text=True)
    except FileNotFoundError:
        return []
    return done.stdout.strip().splitlines() if done.returncode == 0 else []


def device(number: str) -> str:
    """The name of a device: `"cpu"`, or the number of a GPU."""
    cpu = f"{processor()}, {cores()} cores"
    return cpu if number == "cpu" else f"{gpus()[int(number)]}; {cpu}"


def environment_of(number: str) -> dict[str, str]:
    """Environment variables for a process that sees only this device."""
    if number == "cpu":
        return {"CUDA_VISIBLE_DEVICES": "", "JAX_PLATFORMS": "cpu"}
    return {
        "CUDA_VISIBLE_DEVICES": number,
        # Do not preallocate all memory: another process needs some too.
        "TF_FORCE_GPU_ALLOW_GROWTH": "true",
        "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
    }


def versions(python: str, *packages: str) -> str:
    """The versions of a Python and of the given packages that it has."""
    code = (
        "from importlib.metadata import version; import platform, sys, importlib.util;"
        "print('Python', platform.python_version(), end='')\n"
        "for p in sys.argv[1:]:\n"
        "    try: print(',', p, version(p), end='')\n"
        "    except ImportError: pass"
    )
    command = [python, "-c", code, *packages]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def print_about(number: str = "cpu", tfa: str | None = None) -> None:
    """Prints the device and the versions of all packages."""
    packages = ["tfx-extras", "keras", "tensorflow", "jax", "optax", "torch"]
    packages += ["pytorch-optimizer"]
    print(f"{device(number)}  \n{versions(sys.executable, *packages)}  ")
    if tfa:
        print(versions(tfa, "tensorflow-cpu", "tensorflow-addons") + "  ")
    sys.stdout.flush()


def print_row(*values) -> None:
    print("|", " | ".join(map(str, values)), "|", flush=True)


def print_head(title: str, *columns: str, left: int = 1) -> None:
    """Prints a title and the head of a table. The first `left` columns hold words."""
    print(f"\n{title}\n")
    print_row(*columns)
    print_row(*["---"] * left, *["--:"] * (len(columns) - left))
