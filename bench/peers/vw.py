"""Time of Vowpal Wabbit to 1 % of the optimum, on arrays in a folder: vw.py FOLDER ROWS COLUMNS linear|logistic OPTIMUM NULL_LOSS

Only learning is timed: examples are made before the clock starts, and the objective is judged while it stands.
Needs `pip install vowpalwabbit==9.11.9`.
"""

import time

import numpy as np
from problem import alpha, columns, is_reached, kind, not_reached, print_best, rows, step, x, y
from vowpalwabbit import Workspace

# Rates: the program's own default (adaptive, normalised, invariant updates), and others; the best counts.
RATES = [None, 0.1, 2]
NAMES = [f"f{j}" for j in range(columns)]
PASSES = 5


def run(rate, longest):
    loss = "squared" if kind == "linear" else "logistic"
    options = "" if rate is None else f" --learning_rate {rate}"
    vw = Workspace(f"--quiet --loss_function {loss} --l2 {alpha} -b 18{options}")
    hashes = [vw.hash_feature(name, vw.hash_space("n")) for name in NAMES]
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
                    return {**not_reached(seconds), "making": making}
                w = np.array([vw.get_weight(h) for h in hashes])
                # The intercept is the prediction where all features are 0.
                zero = vw.parse("|n f0:0")
                b = vw.predict(zero) if kind == "linear" else vw.predict(zero, prediction_type=vw.get_prediction_type())
                vw.finish_example(zero)
                if is_reached(w, float(b)):
                    return {"seconds": seconds, "passes": read / rows, "spent": seconds, "making": making}
        return {**not_reached(seconds), "making": making}
    finally:
        vw.finish()


print_best(run, RATES)
