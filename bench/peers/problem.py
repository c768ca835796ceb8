"""What descents of others have in common: the arrays and the optimum that the command line names, and the best of several rates."""

import json
import sys
import time

import numpy as np

folder, rows, columns, kind = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
optimum, null_loss = float(sys.argv[5]), float(sys.argv[6])
x = np.fromfile(folder + "/x", dtype=np.float32).reshape(rows, columns)
y = np.fromfile(folder + "/y", dtype=np.float64)
began = time.perf_counter()
# As ours: columns of mean 0 and variance 1, l2 = 1 / rows per row.
x = ((x - x.mean(axis=0)) / x.std(axis=0)).astype(np.float32)
scaling = time.perf_counter() - began
alpha = 1 / rows
# Rows between two looks at the objective.
step = max(1000, rows // 64)


def objective(w, b):
    z = x @ w.astype(np.float32) + np.float32(b)
    loss = 0.5 * np.mean((z - y) ** 2) if kind == "linear" else np.mean(np.logaddexp(0, z) - y * z)
    return loss + 0.5 * alpha * float(w @ w)


def is_reached(w, b):
    """Whether 99 of 100 parts of the way from the intercept alone to the optimum are done."""
    return (null_loss - objective(w, b)) / (null_loss - optimum) >= 0.99


def not_reached(spent):
    return {"seconds": float("nan"), "passes": float("nan"), "spent": spent}


def print_best(run, rates):
    """`run(rate, longest)` for every rate, given up where it takes longer than the best so far; prints the best, and the time of all."""
    results = []
    best = float("inf")
    for rate in rates:
        results.append(run(rate, best))
        if results[-1]["seconds"] < best:
            best = results[-1]["seconds"]
    least = min(results, key=lambda each: each["seconds"] if each["seconds"] == each["seconds"] else 1e9)
    answer = {**least, "prepare": scaling + least.get("making", 0), "allRates": sum(each["spent"] for each in results)}
    print(json.dumps({key: value if value == value else None for key, value in answer.items()}))
