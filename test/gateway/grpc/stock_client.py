"""A stock gRPC client, and nothing of Lintel's but what protoc has made of its .proto: does what it reads, one JSON object a
line, and says what it hears.

    python3 stock_client.py GENERATED

A command names the call it is about, `on`: {"do": "call", "target": "127.0.0.1:4510"} begins one, "send" sends FromWorker
messages in the JSON form of protobuf, "finish" ends the client's side, "cancel" the call, "deaf" stops reading, "hear" goes on
with it. With {"echo": true} a call answers its jobs itself.
"""

import json
import queue
import sys
import threading

sys.path.insert(0, sys.argv[1])

import grpc
from google.protobuf import json_format
from lintel.v1 import worker_pb2, worker_pb2_grpc

lock = threading.Lock()


def say(**fields):
    with lock:
        print(json.dumps(fields), flush=True)


def dictionary(message):
    return json_format.MessageToDict(message, preserving_proto_field_name=True)


class Call:
    def __init__(self, number, target, echo, certificate):
        self.number = number
        self.echo = echo
        self.sending = queue.Queue()
        self.hearing = threading.Event()
        self.hearing.set()
        # Without a name of its own it would share its connection with other channels of the process.
        options = [("grpc.use_local_subchannel_pool", 1)]
        if certificate is None:
            self.channel = grpc.insecure_channel(target, options)
        else:
            trusted = grpc.ssl_channel_credentials(certificate.encode())
            self.channel = grpc.secure_channel(target, trusted, options)
        stub = worker_pb2_grpc.WorkerStub(self.channel)
        self.responses = stub.Work(iter(self.sending.get, None))
        threading.Thread(target=self.read, daemon=True).start()

    def send(self, message):
        self.sending.put(json_format.ParseDict(message, worker_pb2.FromWorker()))

    def read(self):
        say(on=self.number, opened=True)
        try:
            self.hearing.wait()
            for message in self.responses:
                self.take(message)
                self.hearing.wait()
            self.ended(grpc.StatusCode.OK, "", self.responses.trailing_metadata())
        except grpc.RpcError as error:
            self.ended(error.code(), error.details(), error.trailing_metadata())
        self.sending.put(None)
        self.channel.close()

    def take(self, message):
        if self.echo and message.HasField("job"):
            job = message.job
            answer = worker_pb2.Answer(job=job.job, payload=job.payload, content_type=job.content_type)
            self.sending.put(worker_pb2.FromWorker(answer=answer))
        else:
            say(on=self.number, heard=dictionary(message))

    def ended(self, code, details, trailers):
        say(on=self.number, ended=code.name, details=details, trailers=dict(trailers or []))


calls = {}
for line in sys.stdin:
    command = json.loads(line)
    number = command["on"]
    if command["do"] == "call":
        calls[number] = Call(number, command["target"], command["echo"], command.get("certificate"))
    elif command["do"] == "send":
        for message in command["messages"]:
            calls[number].send(message)
    elif command["do"] == "finish":
        calls[number].sending.put(None)
    elif command["do"] == "cancel":
        calls[number].responses.cancel()
    elif command["do"] == "deaf":
        calls[number].hearing.clear()
    elif command["do"] == "hear":
        calls[number].hearing.set()
