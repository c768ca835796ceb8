"""Time of Vowpal Wabbit to 1 % of the optimum, on arrays in a folder: vw.py FOLDER ROWS COLUMNS linear|logistic OPTIMUM NULL_LOSS

Only learning is timed: examples are made before the clock starts, and the objective is judged while it stands.
Needs `pip install vowpalwabbit==9.11.9`.
"""

import json
import sys
import time

import numpy as np
from vowpalwabbit import Workspace

folder, rows, columns, kind = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
optimum, null_loss = float(sys.argv[5]), float(sys.argv[6])
x = np.fromfile(folder + "/x", dtype=np.float32).reshape(rows, columns)
y = np.fromfile(folder + "/y", dtype=np.float64)
began = time.perf_counter()
# As ours: columns of mean 0 and variance 1, l2 = 1 / rows per row.
x = ((x - x.mean(axis=0)) / x.std(axis=0)).astype(np.float32)
scaling = time.perf_counter() - began
alpha = 1 / rows
# Rates: the program's own default (adaptive, normalised, invariant updates), and others; the best counts.
RATES = [None, 0.1, 2]
NAMES = [f"f{j}" for j in range(columns)]
PASSES = 5


def objective(w, b):
    z = x @ w.astype(np.float32) + np.float32(b)
    loss = 0.5 * np.mean((z - y) ** 2) if kind == "linear" else np.mean(np.logaddexp(0, z) - y * z)
    return loss + 0.5 * alpha * float(w @ w)


def run(rate, longest):
    loss = "squared" if kind == "linear" else "logistic"
    options = "" if rate is None else f" --learning_rate {rate}"
    vw = Workspace(f"--quiet --loss_function {loss} --l2 {alpha} -b 18{options}")
    hashes = [vw.hash_feature(name, vw.hash_space("n")) for name in NAMES]
    step = max(1000, rows // 64)
    seconds, making, read = 0.0, 0.0, 0
    try:
        for _ in range(PASSES):
            for begin in range(0, rows, step):
                end = min(rows, begin + step)
                label = y if kind == "linear" else 2 * y - 1
                began = time.perf_counter()
                examples = [
                    vw.parse(f"{label[i]:.17g} |n " + " ".join(f"{name}:{value:.9g}" for name, value in zip(NAMES, x[i])))
                    for i in range(begin, end)
                ]
                making += time.perf_counter() - began
                began = time.perf_counter()
                for example in examples:
                    vw.learn(example)
                seconds += time.perf_counter() - began
                for example in examples:
                    vw.finish_example(example)
                read += end - begin
                if seconds > longest:
                    return {"seconds": float("nan"), "passes": float("nan"), "spent": seconds, "making": making}
                w = np.array([vw.get_weight(h) for h in hashes])
                # The intercept is the prediction where all features are 0.
                zero = vw.parse("|n f0:0")
                b = vw.predict(zero) if kind == "linear" else vw.predict(zero, prediction_type=vw.get_prediction_type())
                vw.finish_example(zero)
                if (null_loss - objective(w, float(b))) / (null_loss - optimum) >= 0.99:
                    return {"seconds": seconds, "passes": read / rows, "spent": seconds, "making": making}
        return {"seconds": float("nan"), "passes": float("nan"), "spent": seconds, "making": making}
    finally:
        vw.finish()


results = []
best = float("inf")
for rate in RATES:
    results.append(run(rate, best))
    if results[-1]["seconds"] < best:
        best = results[-1]["seconds"]
least = min(results, key=lambda each: each["seconds"] if each["seconds"] == each["seconds"] else 1e9)
answer = {**least, "prepare": scaling + least["making"], "allRates": sum(each["spent"] for each in results)}
print(json.dumps({key: value if value == value else None for key, value in answer.items()}))
