"""Time of scikit-learn's SGD to 1 % of the optimum, on arrays in a folder: sgd.py FOLDER ROWS COLUMNS linear|logistic OPTIMUM NULL_LOSS"""

import time

from problem import alpha, is_reached, kind, not_reached, print_best, rows, step, x, y
from sklearn.linear_model import SGDClassifier, SGDRegressor

# Rates: the library's own defaults, and constant ones; the best counts.
RATES = [None, 1e-4, 1e-3, 1e-2]


def run(rate, longest):
    options = {"alpha": alpha, "shuffle": False, "random_state": 0}
    if rate is not None:
        options.update(learning_rate="constant", eta0=rate)
    model = SGDRegressor(**options) if kind == "linear" else SGDClassifier(loss="log_loss", **options)
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
                return not_reached(seconds)
            if is_reached(model.coef_.ravel(), float(model.intercept_[0])):
                return {"seconds": seconds, "passes": read / rows, "spent": seconds}
    return not_reached(seconds)


print_best(run, RATES)
