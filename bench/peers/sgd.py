"""Time of scikit-learn's SGD to 1 % of the optimum, on arrays in a folder: sgd.py FOLDER ROWS COLUMNS linear|logistic OPTIMUM NULL_LOSS"""

import json
import sys
import time

import numpy as np
from sklearn.linear_model import SGDClassifier, SGDRegressor

folder, rows, columns, kind = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
optimum, null_loss = float(sys.argv[5]), float(sys.argv[6])
x = np.fromfile(folder + "/x", dtype=np.float32).reshape(rows, columns)
y = np.fromfile(folder + "/y", dtype=np.float64)
began = time.perf_counter()
# As ours: columns of mean 0 and variance 1, l2 = 1 / rows per row.
x = ((x - x.mean(axis=0)) / x.std(axis=0)).astype(np.float32)
prepare = time.perf_counter() - began
alpha = 1 / rows
# Rates: the library's own defaults, and constant ones; the best counts.
RATES = [None, 1e-4, 1e-3, 1e-2]


def objective(w, b):
    z = x @ w.astype(np.float32) + np.float32(b)
    loss = 0.5 * np.mean((z - y) ** 2) if kind == "linear" else np.mean(np.logaddexp(0, z) - y * z)
    return loss + 0.5 * alpha * float(w @ w)


def run(rate, longest):
    options = {"alpha": alpha, "shuffle": False, "random_state": 0}
    if rate is not None:
        options.update(learning_rate="constant", eta0=rate)
    model = SGDRegressor(**options) if kind == "linear" else SGDClassifier(loss="log_loss", **options)
    step = max(1000, rows // 64)
    seconds, read = 0.0, 0
    for _ in range(5):
        for begin in range(0, rows, step):
            part, target = x[begin : begin + step], y[begin : begin + step]
            began = time.perf_counter()
            if kind == "linear":
                model.partial_fit(part, target)
            else:
                model.partial_fit(part, target, classes=[0, 1])
            seconds += time.perf_counter() - began
            read += len(part)
            if seconds > longest:
                return {"seconds": float("nan"), "passes": float("nan"), "spent": seconds}
            if (null_loss - objective(model.coef_.ravel(), float(model.intercept_[0]))) / (null_loss - optimum) >= 0.99:
                return {"seconds": seconds, "passes": read / rows, "spent": seconds}
    return {"seconds": float("nan"), "passes": float("nan"), "spent": seconds}


results = []
best = float("inf")
for rate in RATES:
    results.append(run(rate, best))
    if results[-1]["seconds"] < best:
        best = results[-1]["seconds"]
least = min(results, key=lambda each: each["seconds"] if each["seconds"] == each["seconds"] else 1e9)
answer = {**least, "prepare": prepare, "allRates": sum(each["spent"] for each in results)}
print(json.dumps({key: value if value == value else None for key, value in answer.items()}))
