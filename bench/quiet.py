"""Whether the machine is quiet: how much of the processors others use, and who they are.

Figures count what this process and its children do not do: of all that /proc/stat counts, time that other virtual
machines take (steal) included. Where there is no /proc, nothing is known.
"""
import os
import pathlib
import resource
import time

PROC = pathlib.Path("/proc")
TICK = os.sysconf("SC_CLK_TCK")


def times_of(pid):
    """(parent, seconds of processor time, those of its ended children) of a process."""
    fields = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    own, ended = (sum(int(f) for f in fields[a:b]) / TICK for a, b in ((11, 13), (13, 15)))
    return int(fields[1]), own, ended


def processes():
    """{pid: as times_of}"""
    found = {}
    for path in PROC.iterdir():
        if path.name.isdigit():
            try:
                found[int(path.name)] = times_of(path.name)
            except (OSError, IndexError, ValueError):  # it ended meanwhile
                continue
    return found


def is_ours(pid, all_processes):
    while pid in all_processes:
        if pid == os.getpid():
            return True
        pid = all_processes[pid][0]
    return False


class Watch:
    """What others use from its making on."""

    def __init__(self):
        self.start = time.monotonic()
        self.before = self.count() if (PROC / "stat").exists() else None

    @staticmethod
    def count():
        """(seconds that all processors were busy, of that ours, {pid of another: its seconds})"""
        fields = [int(f) for f in (PROC / "stat").read_text().split("\n")[0].split()[1:9]]
        user, nice, system, _idle, _waiting, irq, softirq, steal = fields
        everyone = processes()
        usage = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        ours = sum(u.ru_utime + u.ru_stime for u in usage)
        ours += sum(own + ended for pid, (_, own, ended) in everyone.items()
                    if pid != os.getpid() and is_ours(pid, everyone))
        others = {pid: own for pid, (_, own, _e) in everyone.items() if not is_ours(pid, everyone)}
        return (user + nice + system + irq + softirq + steal) / TICK, ours, others

    def others(self):
        """Their share of all processors; None: not known."""
        if self.before is None:
            return None
        now, taken = self.count(), time.monotonic() - self.start
        foreign = (now[0] - self.before[0]) - (now[1] - self.before[1])
        return max(0.0, foreign / (taken * (os.cpu_count() or 1)))

    def busiest(self, most=3):
        """Names of those that used most."""
        if self.before is None:
            return []
        now = self.count()[2]
        used = sorted(((seconds - self.before[2].get(pid, 0), pid) for pid, seconds in now.items()), reverse=True)
        names = []
        for seconds, pid in used[:most]:
            try:
                if seconds > 0.05:
                    names.append((PROC / str(pid) / "comm").read_text().strip())
            except OSError:
                continue
        return names
