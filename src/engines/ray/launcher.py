"""Places the workers of a run of paragrad on a Ray cluster, and watches them. Python moves no numbers.

The entrypoint of a job. It reserves room for all workers, spread over the nodes, and starts the coordinator (Node.js) here.
The coordinator asks for workers by lines on its output ("@start {...}", "@kill {...}"); all else that it writes is the job's
log. An actor hosts each rank: it starts the worker (Node.js), waits for it, and says how it ended. Ray starts an actor that was
lost again, on another node if need be; the coordinator then asks for the next attempt.
"""

import gzip
import json
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import threading
import time

import ray
from ray.util.placement_group import placement_group, remove_placement_group
from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

TAIL_BYTES = 2000
# Before people are told that a run waits for room.
ROOM_NOTE_SECONDS = 5
HERE = os.getcwd()


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
    # Of this node: a constant of this file would be the one of the node that started the job.
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


def own_logs():
    """Where the job's log lies, beside which messages are put that are too long for it."""
    log = os.path.realpath("/proc/self/fd/1")
    if not log.endswith(".log"):
        return {}
    return {"COORDINATOR_LOGS": os.path.dirname(log), "COORDINATOR_NODE": ray.get_runtime_context().get_node_id()}


def tell(kind, **values):
    print(f"@paragrad-{kind} {json.dumps(values)}", flush=True)


def room_of(plan, workers):
    return f"{workers} workers of {plan['cpus']} CPUs and {plan['memoryBytes'] / 2**20:.0f} MiB"


def make_room(plan):
    """A bundle per worker, spread over the nodes, once the cluster has room for all."""
    bundle = {"CPU": plan["cpus"], "memory": plan["memoryBytes"]}
    group = placement_group([bundle] * plan["workers"], strategy="SPREAD")
    if not group.wait(ROOM_NOTE_SECONDS):
        what = room_of(plan, plan["workers"])
        tell("note", text=f"waiting for room on the cluster: {what}; it has {free_room()}")
        end = time.monotonic() + plan["roomSeconds"]
        while not group.wait(1):
            if time.monotonic() < end and not STOPPED.is_set():
                continue
            remove_placement_group(group)
            stop_here()
            raise Failure("PARAGRAD_RAY_ROOM", f"the cluster had no room within {plan['roomSeconds']} s for {what}; it has {free_room()}")
    return group


def stop_here():
    if STOPPED.is_set():
        raise Failure("PARAGRAD_RAY_JOB", "the job was stopped before training began")


def free_room():
    free = ray.available_resources()
    return f"{free.get('CPU', 0):.0f} CPUs and {free.get('memory', 0) / 2**20:.0f} MiB that are free"


class Crew:
    """The actors, and what the coordinator wants of them. Without a group there is an actor from when on it is asked for."""

    def __init__(self, plan, group):
        self.plan = plan
        self.group = group
        self.actors = [None] * plan["workers"]
        self.placed = set()
        self.coordinator = None
        self.lock = threading.Lock()

    def actor(self, rank):
        """The one of a rank. It may be without a node for as long as the cluster has no room."""
        with self.lock:
            if self.actors[rank] is None:
                place = "SPREAD" if self.group is None else PlacementGroupSchedulingStrategy(self.group, placement_group_bundle_index=rank)
                resources = {"num_cpus": self.plan["cpus"], "memory": self.plan["memoryBytes"]}
                self.actors[rank] = Worker.options(scheduling_strategy=place, **resources).remote(self.plan)
            return self.actors[rank]

    def drop(self, rank):
        """Gives the room of a rank back, or does not wait for it any more."""
        with self.lock:
            actor, self.actors[rank] = self.actors[rank], None
        if actor is not None:
            ray.kill(actor)

    def check(self):
        for failure in ray.get([self.actor(rank).check.remote() for rank in range(self.plan["workers"])]):
            if failure is not None:
                raise Failure(*failure)

    def start(self, rank, attempt, invitation, key, spare):
        threading.Thread(target=self.host, args=(rank, attempt, invitation, key, spare), daemon=True).start()

    def host(self, rank, attempt, invitation, key, spare):
        end = {"what": "gone", "rank": rank, "attempt": attempt}
        try:
            actor = self.actor(rank)
            failure = ray.get(actor.check.remote())
            if failure is not None:
                self.drop(rank)
                return self.answer(**end, code=failure[0], how=failure[1])
            self.placed.add(rank)
            if spare:
                self.answer(what="placed", rank=rank, attempt=attempt)
            how = ray.get(actor.run.remote(attempt, invitation, key))
        except Exception as error:  # whatever it was, that worker is gone
            how = f"was lost with its actor or node ({type(error).__name__})"
        self.answer(**end, how=how)

    def tell_of_waiting(self):
        least = self.plan["least"]
        if len(self.placed) < least:
            tell("note", text=f"waiting for room on the cluster: {room_of(self.plan, least)}; it has {free_room()}")

    def kill(self, rank, attempt):
        actor = self.actors[rank]
        if actor is not None:
            actor.kill.remote(attempt)

    def answer(self, **values):
        with self.lock:
            try:
                self.coordinator.stdin.write(json.dumps(values).encode() + b"\n")
                self.coordinator.stdin.flush()
            except OSError:
                pass  # the coordinator has ended

    def obey(self):
        """Runs the coordinator to its end. Returns its exit code."""
        env = dict(os.environ, COORDINATOR_HOST=own_host(), **own_logs())
        gather_data(PLAN)
        command = [find_node(PLAN), "coordinator.mjs"]
        stop_here()
        if self.group is None:
            waiting = threading.Timer(ROOM_NOTE_SECONDS, self.tell_of_waiting)
            waiting.daemon = True
            waiting.start()
        self.coordinator = subprocess.Popen(command, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        for line in self.coordinator.stdout:
            if line.startswith(b"@start "):
                self.start(**json.loads(line[7:]))
            elif line.startswith(b"@kill "):
                self.kill(**json.loads(line[6:]))
            elif line.startswith(b"@cancel "):
                self.drop(**json.loads(line[8:]))
            else:
                sys.stdout.buffer.write(line)
                sys.stdout.buffer.flush()
        return self.coordinator.wait()

    def end(self):
        for rank in range(self.plan["workers"]):
            self.drop(rank)


def main():
    ray.init(log_to_driver=False, logging_level="ERROR")
    # The coordinator gets the same signal, and ends the run at its next step: this process only has to wait for it.
    signal.signal(signal.SIGTERM, lambda *_: STOPPED.set())
    if PLAN["least"] < PLAN["workers"]:
        return run(Crew(PLAN, None))
    group = make_room(PLAN)
    try:
        crew = Crew(PLAN, group)
        return run(crew, crew.check)
    finally:
        remove_placement_group(group)


def run(crew, before=lambda: None):
    """All of a job: its result is the coordinator's exit code."""
    try:
        before()
        return crew.obey()
    finally:
        crew.end()


with open(os.path.join(HERE, "plan.json"), encoding="utf-8") as plan_file:
    PLAN = json.load(plan_file)
STOPPED = threading.Event()

if __name__ == "__main__":
    try:
        CODE = main()
    except Failure as problem:
        tell("failed", code=problem.code, message=str(problem))
        CODE = 1
    sys.exit(CODE)
