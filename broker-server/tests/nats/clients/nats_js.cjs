// Scenarios for nats.js, each of which ends with an exit code of 0 or an error. Run by clients.rs: nats_js.cjs SCENARIO PORT.
"use strict";

const assert = require("node:assert");
const { connect, headers, ErrorCode, Events, Empty } = require("nats");

const DEADLINE = 20000;
const [, , name, port] = process.argv;
const text = new TextDecoder();
const bytes = (string) => new TextEncoder().encode(string);
const open = (options = {}) => connect({ servers: `127.0.0.1:${port}`, ...options });

/** The next `count` messages of a subscription. */
async function take(subscription, count) {
  const messages = [];
  for await (const message of subscription) {
    messages.push(message);
    if (messages.length === count) break;
  }
  return messages;
}

const scenarios = {
  async publish_subscribe() {
    const [a, b] = [await open({ name: "a" }), await open({ name: "b" })];
    const subscriptions = ["js.one.two", "js.*.two", "js.>"].map((subject) => a.subscribe(subject, { max: 4 }));
    const other = a.subscribe("js.one");
    await a.flush();
    const payloads = [bytes("hello"), Empty, Uint8Array.from({ length: 256 }, (_, i) => i), bytes("день")];
    for (const payload of payloads) b.publish("js.one.two", payload);
    b.publish("js.one.two", bytes("a fifth, which is one too many"));
    await b.flush();
    for (const subscription of subscriptions) {
      const got = await take(subscription, 4);
      assert.deepStrictEqual(got.map((m) => Array.from(m.data)), payloads.map((p) => Array.from(p)));
      assert.ok(got.every((m) => m.subject === "js.one.two" && !m.reply));
    }
    await a.flush();
    assert.strictEqual(other.getReceived(), 0);
  },

  async queue_groups() {
    const clients = [await open(), await open(), await open()];
    const publisher = await open();
    const counts = [0, 0, 0];
    for (const [index, client] of clients.entries()) {
      client.subscribe("js.work", { queue: "workers", callback: () => counts[index]++ });
      await client.flush();
    }
    for (let i = 0; i < 3000; i++) publisher.publish("js.work", bytes("x"));
    await publisher.flush();
    for (const client of clients) await client.flush();
    assert.strictEqual(counts.reduce((a, b) => a + b), 3000, `${counts}`);
    // Six standard deviations from a thousand.
    assert.ok(counts.every((count) => Math.abs(count - 1000) < 155), `${counts}`);
  },

  async requests() {
    const [server, client] = [await open(), await open()];
    server.subscribe("js.reverse", {
      callback: (_, m) => m.respond(bytes(m.string().split("").reverse().join(""))),
    });
    await server.flush();
    const questions = Array.from({ length: 200 }, (_, i) => `question ${i}`);
    const answers = await Promise.all(questions.map((q) => client.request("js.reverse", bytes(q), { timeout: DEADLINE })));
    assert.deepStrictEqual(answers.map((m) => m.string()), questions.map((q) => q.split("").reverse().join("")));
    const alone = await client.request("js.reverse", bytes("abc"), { timeout: DEADLINE, noMux: true });
    assert.strictEqual(text.decode(alone.data), "cba");
  },

  async no_responders() {
    const client = await open();
    for (const noMux of [false, true]) {
      await assert.rejects(
        client.request("js.nobody", Empty, { timeout: DEADLINE, noMux }),
        (error) => error.code === ErrorCode.NoResponders,
      );
    }
  },

  async headers() {
    const [a, b] = [await open(), await open()];
    const subscription = a.subscribe("js.headers", { max: 1 });
    await a.flush();
    const sent = headers();
    sent.append("One", "1");
    sent.append("Many", "a");
    sent.append("Many", "b: c");
    sent.append("Empty", "");
    b.publish("js.headers", bytes("body"), { headers: sent });
    const [message] = await take(subscription, 1);
    assert.strictEqual(message.string(), "body");
    assert.strictEqual(message.headers.get("One"), "1");
    assert.deepStrictEqual(message.headers.values("Many"), ["a", "b: c"]);
    assert.deepStrictEqual(message.headers.values("Empty"), [""]);
  },

  async drain() {
    const [a, b] = [await open(), await open()];
    const got = [];
    const subscription = a.subscribe("js.drain");
    const reading = (async () => {
      for await (const message of subscription) got.push(message.string());
    })();
    await a.flush();
    for (let i = 0; i < 200; i++) b.publish("js.drain", bytes(`${i}`));
    await b.flush();
    await a.drain();
    await reading;
    assert.deepStrictEqual(got, Array.from({ length: 200 }, (_, i) => `${i}`));
    assert.ok(a.isClosed());
    b.publish("js.drain", bytes("late"));
    await b.drain();
  },

  /** The server's largest payload is 64 bytes. */
  async max_payload() {
    const client = await open();
    assert.strictEqual(client.info.max_payload, 64);
    assert.throws(() => client.publish("js.large", new Uint8Array(65)), { code: ErrorCode.MaxPayloadExceeded });
    const subscription = client.subscribe("js.large", { max: 1 });
    client.publish("js.large", new Uint8Array(64));
    const [message] = await take(subscription, 1);
    assert.strictEqual(message.data.length, 64);
    // A client that does not look is told by the server, which ends the connection.
    const other = await open({ reconnect: false });
    other.info.max_payload = 1 << 30;
    other.publish("js.large", new Uint8Array(65));
    const error = await other.closed();
    assert.match(`${error}`, /maximum payload violation/i);
  },

  async eight_mebibytes() {
    const [a, b] = [await open(), await open()];
    const subscription = a.subscribe("js.bulk", { max: 128 });
    await a.flush();
    const payload = Uint8Array.from({ length: 65536 }, (_, i) => (i * 31) % 251);
    for (let i = 0; i < 128; i++) {
      payload[0] = i;
      b.publish("js.bulk", payload.slice());
    }
    await b.flush();
    const got = await take(subscription, 128);
    for (const [i, message] of got.entries()) {
      payload[0] = i;
      assert.ok(Buffer.compare(message.data, payload) === 0, `message ${i}`);
    }
  },

  async thousand_subscriptions() {
    const [a, b] = [await open(), await open()];
    const got = new Map();
    for (let i = 0; i < 1000; i++) {
      a.subscribe(`js.many.${i}`, { max: 1, callback: (_, m) => got.set(m.subject, m.string()) });
    }
    await a.flush();
    for (let i = 0; i < 1000; i++) b.publish(`js.many.${i}`, bytes(`${i}`));
    await b.flush();
    await a.flush();
    assert.strictEqual(got.size, 1000);
    for (let i = 0; i < 1000; i++) assert.strictEqual(got.get(`js.many.${i}`), `${i}`);
    await assert.rejects(b.request("js.many.7", Empty, { timeout: DEADLINE }), { code: ErrorCode.NoResponders });
  },

  /** Prints `ready`; then the server is killed and started again. */
  async reconnect() {
    const client = await open({ reconnectTimeWait: 50, maxReconnectAttempts: -1 });
    const back = (async () => {
      for await (const status of client.status()) if (status.type === Events.Reconnect) return;
    })();
    const subscription = client.subscribe("js.again.*");
    const messages = subscription[Symbol.asyncIterator]();
    client.publish("js.again.1", bytes("before"));
    assert.strictEqual((await messages.next()).value.string(), "before");
    console.log("ready");
    await back;
    client.publish("js.again.2", bytes("after"));
    assert.strictEqual((await messages.next()).value.string(), "after");
  },
};

setTimeout(() => {
  console.error(`${name}: not in time`);
  process.exit(1);
}, 2 * DEADLINE);
scenarios[name]().then(
  () => {
    console.log("done");
    process.exit(0);
  },
  (error) => {
    console.error(error);
    process.exit(1);
  },
);
