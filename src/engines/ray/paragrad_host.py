"""What each node of the cluster does for a run of paragrad: it finds a Node.js, puts the data together, and hosts workers."""

import gzip
import json
import os
import platform
import re
import shutil
import signal
import subprocess
import sys

import ray

TAIL_BYTES = 2000


class Failure(Exception):
    """Something that the user should read: a code and a sentence."""

    def __init__(self, code, message):
        super().__init__(message)
        self.code = code


def own_host():
    """The address at which other nodes reach this one."""
    own = ray.get_runtime_context().get_node_id()
    return next(node["NodeManagerAddress"] for node in ray.nodes() if node["NodeID"] == own)


def shipped_node():
    """Unpacks the Node.js that came with the job, once per node, beside the package, with which Ray removes it."""
    package = next(path for path in sys.path if os.path.exists(os.path.join(path, "paragrad_node", "node.gz")))
    folder = os.path.join(package, "paragrad_node")
    with open(os.path.join(folder, "machine.txt"), encoding="utf-8") as file:
        machine = file.read().strip()
    if machine != platform.machine():
        raise Failure("PARAGRAD_RAY_NODE", f"a node of the cluster is {platform.machine()}, the Node.js that was sent is for {machine}")
    binary = os.path.join(folder, "node")
    if not os.path.exists(binary):
        unfinished = f"{binary}.{os.getpid()}"
        with gzip.open(os.path.join(folder, "node.gz")) as packed, open(unfinished, "wb") as file:
            shutil.copyfileobj(packed, file, 1 << 20)
        os.chmod(unfinished, 0o755)
        os.replace(unfinished, binary)
    return binary


def gather_data(plan):
    """Puts the data together that came in pieces, once per node, beside the package, with which Ray removes them."""
    # Of this node: every node unpacks the package by itself.
    folder = os.path.join(os.getcwd(), "data")
    if plan["dataPackages"] == 0 or os.path.exists(folder):
        return
    parts = [os.path.join(path, "paragrad_data") for path in sys.path if os.path.isdir(os.path.join(path, "paragrad_data"))]
    if len(set(parts)) != plan["dataPackages"]:
        raise Failure("PARAGRAD_RAY_PACKAGE", f"{len(set(parts))} of {plan['dataPackages']} packages of data came to {platform.node()}")
    pieces = {name: os.path.join(part, name) for part in parts for name in os.listdir(part) if re.match(r"\d+\.", name)}
    unfinished = f"{folder}.{os.getpid()}"
    os.makedirs(unfinished)
    for name in sorted(pieces):
        with open(pieces[name], "rb") as piece, open(os.path.join(unfinished, name.split(".", 1)[1]), "ab") as file:
            shutil.copyfileobj(piece, file, 1 << 20)
    try:
        os.rename(unfinished, folder)
    except OSError:  # another actor of this node was faster
        shutil.rmtree(unfinished)


def find_node(plan):
    """Path of a Node.js that is new enough, on this node of the cluster."""
    binary = shipped_node() if plan["node"] == "ship" else shutil.which("node")
    wanted = tuple(plan["nodeVersion"])
    where = platform.node()
    if binary is None:
        raise Failure("PARAGRAD_RAY_NODE", f"{where} has no Node.js on its PATH: install it there, or send this machine's with --node ship")
    try:
        text = subprocess.run([binary, "--version"], capture_output=True, text=True, timeout=60, check=True).stdout
    except (OSError, subprocess.SubprocessError) as error:
        raise Failure("PARAGRAD_RAY_NODE", f"Node.js does not run on {where}: {error}") from error
    found = re.match(r"v(\d+)\.(\d+)", text)
    if found is None or (int(found[1]), int(found[2])) < wanted:
        needed = ".".join(map(str, wanted))
        raise Failure("PARAGRAD_RAY_NODE", f"{where} has Node.js {text.strip()}, and {needed} is needed: install it there, or use --node ship")
    return binary


@ray.remote(max_restarts=-1, max_task_retries=0, max_concurrency=3)
class Worker:
    """Hosts the Node.js process of one rank."""

    def __init__(self, plan):
        self.plan = plan
        self.children = {}

    @ray.method(max_task_retries=-1)
    def check(self):
        """None, or why no worker can run here. Waits for an actor that is being started again."""
        try:
            find_node(self.plan)
            gather_data(self.plan)
        except Failure as failure:
            return failure.code, str(failure)
        return None

    def run(self, attempt, invitation, key):
        """Runs one attempt to its end, and says how it ended."""
        invitation["own"]["host"] = own_host()
        env = dict(os.environ, PARAGRAD_INVITATION=json.dumps(invitation), PARAGRAD_KEY=key)
        command = [find_node(self.plan), "worker.mjs"]
        child = subprocess.Popen(command, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        self.children[attempt] = child
        said = child.stderr.read()[-TAIL_BYTES:].decode("utf-8", "replace").strip()
        code = child.wait()
        how = f"ended with exit code {code}" if code >= 0 else f"was ended by {signal.Signals(-code).name}"
        return f"{how}: {said}" if said else how

    def kill(self, attempt):
        child = self.children.get(attempt)
        if child is not None:
            child.kill()
