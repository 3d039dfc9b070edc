"""The ten lines of docs/protocol.md as a script: ten_lines.py [HOST [PORT]]

Subscribes to a topic, publishes two messages to it, and prints them as they come back.
"""

import sys

import msgpack, socket

host = sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1"
port = int(sys.argv[2]) if len(sys.argv) > 2 else 36912
s = socket.create_connection((host, port), timeout=10)  # seconds of silence, then it gives up
for command in ({"Subscribe": ["my-topic"]}, {"Publish": [["my-topic", True]]}, {"Publish": [["my-topic", {"Foo": 0.5}]]}):
    s.sendall(msgpack.packb(command))
unpacker = msgpack.Unpacker()
expected = 2
while expected > 0:
    received = s.recv(65536)
    if not received:
        sys.exit("the broker closed the connection")
    unpacker.feed(received)
    for message in unpacker:
        print(message, flush=True)  # ['my-topic', True], then ['my-topic', {'Foo': 0.5}]
        expected -= 1
