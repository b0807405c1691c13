"""A worker for the service "greet", over gRPC, with nothing of Lintel's but what is generated from its .proto.

    python3 grpc_worker.py [HOST:PORT]
"""

import json
import queue
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import grpc
from lintel.v1 import worker_pb2 as lintel
from lintel.v1 import worker_pb2_grpc

JOBS = 8  # that it does at a time


def greet(value):
    return {"hello": value["name"]}


def outcome(job):
    """What to say of a job once it is done."""
    try:
        payload = json.dumps(greet(json.loads(job.payload))).encode()
        answer = lintel.Answer(job=job.job, payload=payload, content_type="application/json")
        return lintel.FromWorker(answer=answer)
    except (KeyError, TypeError, ValueError) as error:
        failure = lintel.Failure(code="invalid_argument", reason="NO_NAME", message=f"send a name: {error!r}")
        return lintel.FromWorker(failed=lintel.Failed(job=job.job, failure=failure))


def work(target, pool):
    """Takes jobs until the hub, or the connection to it, ends."""
    sending = queue.SimpleQueue()
    sending.put(lintel.FromWorker(register=lintel.Register(subject="greet", concurrency=JOBS)))
    with grpc.insecure_channel(target) as channel:
        try:
            for heard in worker_pb2_grpc.WorkerStub(channel).Work(iter(sending.get, None)):
                kind = heard.WhichOneof("message")
                if kind == "job":
                    pool.submit(lambda job: sending.put(outcome(job)), heard.job)
                elif kind == "registered":
                    print(f"serving greet at {target}", flush=True)
                elif kind == "refused":
                    sys.exit(f"refused: {heard.refused.failure.message}")
        finally:
            sending.put(None)


def main(target="127.0.0.1:4510"):
    with ThreadPoolExecutor(JOBS) as pool:
        while True:
            try:
                work(target, pool)
            except grpc.RpcError as error:
                print(f"{error.code().name}: {error.details()}; trying again", file=sys.stderr, flush=True)
            time.sleep(1)


main(*sys.argv[1:])
