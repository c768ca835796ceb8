"""All-reduce (sum of f32) by torch's gloo back end: what bench/messages.ts is compared with.

usage: gloo.py RANKS BYTES:STEPS …
One process per rank on this machine, over its loopback interface. Prints one JSON array; times are in µs: the median by the clock, and the mean processor time of rank 0 (user and system, all threads).
"""
import json
import os
import sys
import tempfile
import time

os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch
import torch.distributed as dist
import torch.multiprocessing as mp


def measure(rank, ranks, store, sizes, answers):
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=ranks)
    rows = []
    for size, steps in sizes:
        values = torch.zeros(size // 4, dtype=torch.float32)
        times = []
        for step in range(-max(2, steps // 5), steps):
            values.fill_(rank + 1)
            dist.barrier() if size > 1_000_000 else None
            if step == 0:
                before = time.process_time()
            start = time.perf_counter()
            dist.all_reduce(values)
            if step >= 0:
                times.append(time.perf_counter() - start)
        cpu = (time.process_time() - before) / steps
        # Checked where it is timed.
        assert bool((values == ranks * (ranks + 1) // 2).all()), f"wrong sum of {size} bytes"
        times.sort()
        rows.append(dict(bytes=size, ranks=ranks, steps=steps, medianUs=times[len(times) // 2] * 1e6, cpuUs=cpu * 1e6))
    dist.destroy_process_group()
    if rank == 0:
        answers.put(rows)


if __name__ == "__main__":
    count = int(sys.argv[1])
    wanted = [tuple(map(int, pair.split(":"))) for pair in sys.argv[2:]]
    with tempfile.TemporaryDirectory() as folder:
        context = mp.get_context("spawn")
        queue = context.SimpleQueue()
        mp.spawn(measure, (count, os.path.join(folder, "store"), wanted, queue), nprocs=count, join=True)
        print(json.dumps(queue.get()))
