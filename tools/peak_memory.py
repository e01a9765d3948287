"""How much memory a piece of work takes at its peak, as Linux tells it."""

import ctypes
import gc
import pathlib

PROCESS = pathlib.Path("/proc/self")


def peak_bytes(work, warm_up) -> int:
    """Measures the most memory that some work takes beside what is held before it.

    Args:
        work: callable without arguments.
        warm_up: callable without arguments, done before: what it leaves, weights and traced graphs, does not count,
            nor does the memory that TensorFlow's allocator keeps of it.

    Returns:
        int, bytes of resident memory.

    Raises:
        SystemExit: the system does not tell.
    """
    if not (PROCESS / "clear_refs").exists():
        raise SystemExit("A peak of memory is read as Linux tells it. Received: another system. Measure on Linux.")
    warm_up()
    gc.collect()
    # What was freed and not given back would be used again, and be missing from the count.
    ctypes.CDLL(None).malloc_trim(0)
    (PROCESS / "clear_refs").write_text("5")  # the peak begins here
    before = _status("VmRSS")
    work()
    return _status("VmHWM") - before


def _status(name):
    lines = (PROCESS / "status").read_text().splitlines()
    return 1024 * int(next(line for line in lines if line.startswith(f"{name}:")).split()[1])
