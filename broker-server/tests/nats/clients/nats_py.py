"""Scenarios for nats-py, each of which ends with an exit code of 0 or a traceback. Run by clients.rs: nats_py.py SCENARIO PORT."""

import asyncio
import os
import sys

import nats
from nats.errors import MaxPayloadError, NoRespondersError

DEADLINE = 20


async def connect(**options):
    return await nats.connect(f"nats://127.0.0.1:{sys.argv[2]}", **options)


async def settle(client):
    """Waits until the server has handled what the client said. Its PING may overtake what waits to be written; a second one does not."""
    await client.flush(DEADLINE)
    await client.flush(DEADLINE)


async def publish_subscribe():
    a, b = await connect(name="a"), await connect(name="b")
    exact = await a.subscribe("py.one.two")
    token = await a.subscribe("py.*.two")
    rest = await a.subscribe("py.>")
    other = await a.subscribe("py.one")
    await settle(a)
    for payload in (b"hello", b"", bytes(range(256)), "день".encode()):
        await b.publish("py.one.two", payload)
        for subscription in (exact, token, rest):
            message = await subscription.next_msg(DEADLINE)
            assert (message.subject, message.data, message.reply) == ("py.one.two", payload, ""), message
    assert other.pending_msgs == 0
    await exact.unsubscribe()
    await settle(a)
    await b.publish("py.one.two", b"again")
    assert (await token.next_msg(DEADLINE)).data == b"again"
    limited = await a.subscribe("py.limited", max_msgs=2)
    await limited.unsubscribe(limit=2)
    for number in range(5):
        await a.publish("py.limited", b"%d" % number)
    await settle(a)
    assert [(await limited.next_msg(DEADLINE)).data for _ in range(2)] == [b"0", b"1"]
    await a.close()
    await b.close()


async def queue_groups():
    clients = [await connect() for _ in range(3)]
    publisher = await connect()
    counts = [0, 0, 0]
    everything = 0

    def counter(index):
        async def count(_):
            counts[index] += 1

        return count

    async def count_all(_):
        nonlocal everything
        everything += 1

    for index, client in enumerate(clients):
        await client.subscribe("py.work", "workers", cb=counter(index))
        await settle(client)
    await publisher.subscribe("py.work", cb=count_all)
    for _ in range(3000):
        await publisher.publish("py.work", b"x")
    await settle(publisher)

    async def arrive():
        while sum(counts) < 3000 or everything < 3000:
            await asyncio.sleep(0.01)

    await asyncio.wait_for(arrive(), DEADLINE)
    for client in clients:
        await settle(client)
    assert sum(counts) == 3000 and everything == 3000, (counts, everything)
    # Six standard deviations from a thousand.
    assert all(abs(count - 1000) < 155 for count in counts), counts


async def requests():
    server, client = await connect(), await connect()

    async def answer(message):
        await message.respond(message.data[::-1])

    await server.subscribe("py.reverse", cb=answer)
    await settle(server)
    for number in range(100):
        reply = await client.request("py.reverse", b"ab%d" % number, timeout=DEADLINE)
        assert reply.data == (b"ab%d" % number)[::-1]
    reply = await client.request("py.reverse", b"old", timeout=DEADLINE, old_style=True)
    assert reply.data == b"dlo"
    together = [client.request("py.reverse", b"%d" % n, timeout=DEADLINE) for n in range(1000, 1100)]
    replies = await asyncio.gather(*together)
    assert [reply.data for reply in replies] == [(b"%d" % n)[::-1] for n in range(1000, 1100)]


async def no_responders():
    client = await connect()
    for old_style in (False, True):
        try:
            await client.request("py.nobody", b"?", timeout=DEADLINE, old_style=old_style)
            raise AssertionError("nobody answered")
        except NoRespondersError:
            pass


async def headers():
    a, b = await connect(), await connect()
    subscription = await a.subscribe("py.headers")
    await settle(a)
    sent = {"One": "1", "Two-Words": "a b: c", "Empty": "", "Unicode": "день"}
    await b.publish("py.headers", b"body", headers=sent)
    message = await subscription.next_msg(DEADLINE)
    assert message.data == b"body"
    assert dict(message.headers) == sent, message.headers

    async def answer(message):
        await b.publish(message.reply, b"answered", headers={"Seen": message.headers["Question"]})

    await b.subscribe("py.ask", cb=answer)
    await settle(b)
    reply = await a.request("py.ask", b"", timeout=DEADLINE, headers={"Question": "why"})
    assert reply.headers["Seen"] == "why"


async def drain():
    a, b = await connect(), await connect()
    got = []

    async def slow(message):
        await asyncio.sleep(0.001)
        got.append(message.data)

    await a.subscribe("py.drain", cb=slow)
    await settle(a)
    for number in range(200):
        await b.publish("py.drain", b"%d" % number)
    await settle(b)
    await a.drain()
    assert a.is_closed
    assert got == [b"%d" % number for number in range(200)], len(got)
    await b.publish("py.drain", b"late")
    await b.drain()


async def max_payload():
    """The server's largest payload is 64 bytes."""
    client = await connect()
    assert client.max_payload == 64, client.max_payload
    try:
        await client.publish("py.large", bytes(65))
        raise AssertionError("too large")
    except MaxPayloadError:
        pass
    subscription = await client.subscribe("py.large")
    await client.publish("py.large", bytes(64))
    assert len((await subscription.next_msg(DEADLINE)).data) == 64
    # A client that does not look is told by the server, which ends the connection.
    errors, closed = [], asyncio.Event()

    async def error_cb(error):
        errors.append(str(error).lower())

    async def closed_cb():
        closed.set()

    other = await connect(error_cb=error_cb, closed_cb=closed_cb)
    other._max_payload = 1 << 30
    await other.publish("py.large", bytes(65))
    await asyncio.wait_for(closed.wait(), DEADLINE)
    assert "maximum payload violation" in str(other.last_error).lower(), (other.last_error, errors)


async def eight_mebibytes():
    a, b = await connect(pending_size=16 << 20), await connect(pending_size=16 << 20)
    subscription = await a.subscribe("py.bulk", pending_bytes_limit=64 << 20)
    await settle(a)
    payload = os.urandom(64 << 10)
    for number in range(128):
        await b.publish("py.bulk", number.to_bytes(4, "big") + payload)
    await settle(b)
    for number in range(128):
        message = await subscription.next_msg(DEADLINE)
        assert message.data == number.to_bytes(4, "big") + payload


async def thousand_subscriptions():
    a, b = await connect(), await connect()
    got = {}

    async def collect(message):
        got.setdefault(message.subject, []).append(message.data)

    subscriptions = [await a.subscribe(f"py.many.{number}", cb=collect) for number in range(1000)]
    await settle(a)
    for number in range(1000):
        await b.publish(f"py.many.{number}", b"%d" % number)
    await settle(b)

    async def arrive():
        while len(got) < 1000:
            await asyncio.sleep(0.01)

    await asyncio.wait_for(arrive(), DEADLINE)
    assert got == {f"py.many.{number}": [b"%d" % number] for number in range(1000)}
    for subscription in subscriptions:
        await subscription.unsubscribe()
    await settle(a)
    try:
        await b.request("py.many.7", b"", timeout=DEADLINE)
        raise AssertionError("nobody is there")
    except NoRespondersError:
        pass


async def reconnect():
    """Prints `ready`; then the server is killed and started again."""
    back = asyncio.Event()

    async def reconnected_cb():
        back.set()

    async def error_cb(_):
        pass

    client = await connect(
        reconnected_cb=reconnected_cb, error_cb=error_cb, reconnect_time_wait=0.05, max_reconnect_attempts=-1
    )
    subscription = await client.subscribe("py.again.*")
    await client.publish("py.again.1", b"before")
    assert (await subscription.next_msg(DEADLINE)).data == b"before"
    print("ready", flush=True)
    await asyncio.wait_for(back.wait(), DEADLINE)
    await client.publish("py.again.2", b"after")
    assert (await subscription.next_msg(DEADLINE)).data == b"after"
    assert client.stats["reconnects"] == 1, client.stats


asyncio.run(asyncio.wait_for(globals()[sys.argv[1]](), 2 * DEADLINE))
print("done", flush=True)
os._exit(0)
