"""Which kind of processor a machine has: results are kept, and some targets set, for each kind by itself."""
import collections
import pathlib
import platform
import re

# title on the page; column: which of the three shares of table.py it is held to, None: no share is asked.
Kind = collections.namedtuple("Kind", "title column")
KINDS = {
    "avx2": Kind("AVX2 (Zen 2, Zen 3)", 0),
    "zen4": Kind("AVX-512 (Zen 4 and later)", 1),
    "avx512": Kind("AVX-512 (Intel, without AMX)", 1),
    "amx": Kind("AVX-512 and AMX (Xeon)", 2),
    "neon": Kind("NEON", None),
    "other": Kind("another processor", None),
}


def kind_of(cpuinfo, machine):
    """From the text of /proc/cpuinfo and the name of the architecture."""
    def field(name):
        found = re.search(rf"^{name}\s*: (.*)", cpuinfo, re.M)
        return found.group(1).strip() if found else ""
    flags = set(field("flags").split())
    if "amx_tile" in flags:
        return "amx"
    if "avx512f" in flags:  # AMD's families: 25 is Zen 3 and 4, of which only Zen 4 has these instructions
        return "zen4" if field("vendor_id") == "AuthenticAMD" else "avx512"
    if "avx2" in flags:
        return "avx2"
    return "neon" if machine in ("aarch64", "arm64") else "other"


def here():
    path = pathlib.Path("/proc/cpuinfo")
    return kind_of(path.read_text() if path.exists() else "", platform.machine())
