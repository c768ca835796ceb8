"""What the same machine does with NumPy and scikit-learn, in one process, on arrays that the benchmark wrote.

usage: peers.py kernels | sgd rows columns | train FOLDER rows columns | file PATH target
Prints one JSON object. Times are medians (kernels) or the best of three (train), in seconds; the clock starts with arrays in memory.
"""
import json
import sys
import time

import numpy as np


def kernels():
    """GB/s of x in X.T @ (X @ w - y): what a squared-loss gradient costs in NumPy."""
    rows = []
    for dtype, name in ((np.float32, "f32"), (np.float64, "f64")):
        for columns in (16, 50, 100, 300, 1000):
            count = int(320e6 // (columns * np.dtype(dtype).itemsize))
            x = np.random.default_rng(0).random((count, columns), dtype=dtype)
            y, w = np.ones(count, dtype), np.ones(columns, dtype)
            times = []
            for _ in range(5):
                start = time.perf_counter()
                x.T @ (x @ w - y)
                times.append(time.perf_counter() - start)
            rows.append(dict(dtype=name, columns=columns, gigabytesPerSecond=x.nbytes / sorted(times)[2] / 1e9))
    return rows


def timed(fit, runs=3):
    best, result = np.inf, None
    for _ in range(runs):
        start = time.perf_counter()
        result = fit()
        best = min(best, time.perf_counter() - start)
    return best, result


def normal_equations(x, y, l2):
    """(X'X + l2·n·I) w = X'y on centred data, by Cholesky."""
    mean, center = x.mean(axis=0, dtype=np.float64), y.mean(dtype=np.float64)
    n = len(y)
    gram = (x.T @ x).astype(np.float64) - n * np.outer(mean, mean)
    right = (x.T @ y).astype(np.float64) - n * mean * center
    w = np.linalg.solve(gram + l2 * n * np.eye(x.shape[1]), right)
    return w, center - mean @ w


def train(folder, rows, columns):
    from sklearn.linear_model import LogisticRegression, Ridge

    results = []
    for dtype, name in ((np.float32, "f32"), (np.float64, "f64")):
        x = np.fromfile(f"{folder}/x.f32", np.float32).reshape(rows, columns).astype(dtype)
        y = np.fromfile(f"{folder}/y.f64", np.float64).astype(dtype)
        c = np.fromfile(f"{folder}/c.f64", np.float64).astype(dtype)

        def record(model, peer, seconds, w, b):
            w = np.asarray(w, np.float64)
            results.append(dict(model=model, peer=f"{peer} {name}", seconds=seconds, weights=w.tolist(), intercept=float(b)))

        def ridge(solver):
            model = Ridge(alpha=1, solver=solver).fit(x, y)
            return model.coef_, model.intercept_

        def logistic(solver, tol):
            model = LogisticRegression(C=1, solver=solver, tol=tol, max_iter=300).fit(x, c)
            return model.coef_[0], model.intercept_[0]

        seconds, (w, b) = timed(lambda: normal_equations(x, y, 1 / rows))
        record("linear", "NumPy normal equations", seconds, w, b)
        seconds, (w, b) = timed(lambda: ridge("cholesky"))
        record("linear", "scikit-learn Ridge(cholesky)", seconds, w, b)
        seconds, (w, b) = timed(lambda: logistic("newton-cholesky", 1e-4), 1)
        record("logistic", "scikit-learn newton-cholesky", seconds, w, b)
        seconds, (w, b) = timed(lambda: logistic("lbfgs", 1e-4), 1)
        record("logistic", "scikit-learn lbfgs", seconds, w, b)
    return results


def sgd(rows, columns):
    """M features/s of one epoch of SGDRegressor, whose batches are of one row."""
    from sklearn.linear_model import SGDRegressor

    x = np.random.default_rng(0).random((rows, columns), dtype=np.float32) - 0.5
    y = np.ones(rows, np.float32)
    model = SGDRegressor(learning_rate="constant", eta0=1e-4, alpha=1 / rows, shuffle=False)
    seconds, _ = timed(lambda: model.partial_fit(x, y))
    return dict(rate=rows * columns / seconds / 1e6)


def file(path, target):
    """Read, encode, split, Ridge: the whole script, its imports apart."""
    import pandas as pd
    from sklearn.linear_model import Ridge
    from sklearn.model_selection import train_test_split
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    start = time.perf_counter()
    data = pd.read_parquet(path) if path.endswith(".parquet") else pd.read_csv(path)
    read = time.perf_counter() - start
    x, y = data.drop(columns=target), data[target]
    train_x, test_x, train_y, test_y = train_test_split(x, y, test_size=0.2, random_state=0)
    model = make_pipeline(StandardScaler(), Ridge(alpha=1)).fit(train_x, train_y)
    return dict(seconds=time.perf_counter() - start, read=read, r2=model.score(test_x, test_y))


if __name__ == "__main__":
    if sys.argv[1] == "kernels":
        print(json.dumps(kernels()))
    elif sys.argv[1] == "sgd":
        print(json.dumps(sgd(int(sys.argv[2]), int(sys.argv[3]))))
    elif sys.argv[1] == "file":
        print(json.dumps(file(sys.argv[2], sys.argv[3])))
    else:
        print(json.dumps(train(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))))
