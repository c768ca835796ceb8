"""Places the workers of a run of paragrad on a Ray cluster, and watches them. Python moves no numbers.

The entrypoint of a job. It reserves room for all workers, spread over the nodes, and starts the coordinator (Node.js) here.
The coordinator asks for workers by lines on its output ("@start {...}", "@kill {...}"); all else that it writes is the job's
log. An actor hosts each rank (paragrad_host.py): it starts the worker (Node.js), waits for it, and says how it ended. Ray starts
an actor that was lost again, on another node if need be; the coordinator then asks for the next attempt.
"""

import json
import os
import signal
import subprocess
import sys
import threading
import time

import ray
from paragrad_host import Failure, Worker, find_node, gather_data, own_host
from ray.util.placement_group import placement_group, remove_placement_group
from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

# Before people are told that a run waits for room.
ROOM_NOTE_SECONDS = 5
HERE = os.getcwd()


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
