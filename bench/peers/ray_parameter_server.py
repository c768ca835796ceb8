"""Updates per second of the asynchronous parameter server that Ray's documentation teaches, with NumPy: an actor that holds the
weights, actors that compute gradients, and a driver that waits for whichever is ready.

https://docs.ray.io/en/latest/ray-core/examples/plot_parameter_server.html

As a job: ray_parameter_server.py FOLDER_OF_NUMPY ROWS COLUMNS BATCH WORKERS UPDATES. Prints one JSON object.
"""

import json
import sys
import time

import ray

numpy_folder = sys.argv[1]
rows, columns, batch, workers, updates = map(int, sys.argv[2:])
WARM = 100
sys.path.insert(0, numpy_folder)


@ray.remote
class ParameterServer:
    def __init__(self, rate):
        import numpy as np

        self.weights = np.zeros(columns, dtype=np.float32)
        self.rate = rate

    def apply_gradients(self, *gradients):
        self.weights = self.weights - self.rate * sum(gradients) / len(gradients)
        return self.weights

    def get_weights(self):
        return self.weights


@ray.remote
class DataWorker:
    """Holds its own part of the rows, and goes through it batch by batch."""

    def __init__(self, seed):
        import numpy as np

        random = np.random.default_rng(seed)
        own = rows // workers
        self.x = random.standard_normal((own, columns), dtype=np.float32)
        self.y = (self.x @ np.arange(columns, dtype=np.float32)) / columns
        self.at = 0

    def compute_gradients(self, weights):
        x, y = self.x[self.at : self.at + batch], self.y[self.at : self.at + batch]
        self.at = self.at + batch if self.at + 2 * batch <= len(self.x) else 0
        return x.T @ (x @ weights - y) / len(x)


ray.init(log_to_driver=False, runtime_env={"env_vars": {"PYTHONPATH": numpy_folder}})
server = ParameterServer.remote(1e-2)
crew = [DataWorker.remote(seed) for seed in range(workers)]
weights = server.get_weights.remote()
pending = {worker.compute_gradients.remote(weights): worker for worker in crew}
began = 0.0
for update in range(WARM + updates):
    if update == WARM:
        ray.get(weights)
        began = time.perf_counter()
    ready, _ = ray.wait(list(pending))
    worker = pending.pop(ready[0])
    weights = server.apply_gradients.remote(ready[0])
    pending[worker.compute_gradients.remote(weights)] = worker
ray.get(weights)
print("RESULT " + json.dumps({"updatesPerSecond": updates / (time.perf_counter() - began)}))
