"""Settings of the process: threads and instruction sets. Neither changes a result."""
from __future__ import annotations

from ._library import call, libattn


def set_threads(threads: int) -> None:
    """Sets the number of threads of a call, for the whole process; 0 returns to the default.

    The default is OMP_NUM_THREADS, or else the number of processors that this process may use.
    """
    libattn.attn_set_threads(threads)


def get_threads() -> int:
    """The number of threads that the next call will use."""
    return int(libattn.attn_get_threads())


def instruction_sets() -> list[str]:
    """The instruction sets that this build and this processor have, the slowest, plain C, first."""
    names, i = [], 0
    while (name := libattn.attn_isa_at(i)) is not None:
        names.append(name.decode())
        i += 1
    return names


def instruction_set() -> str:
    """The instruction set in use: the last of `instruction_sets()`, or what ATTN_ISA in the environment asks for."""
    return str(libattn.attn_isa_name().decode())


def set_instruction_set(name: str | None) -> None:
    """Forces an instruction set; None: the best there is. Call it while nothing else of attn is running."""
    call(libattn.attn_set_isa, None if name is None else name.encode())
