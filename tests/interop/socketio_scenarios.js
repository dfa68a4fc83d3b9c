// What the JavaScript clients of socket.io, from 0.9 to 4.x, do with socketio_app.py, on node and in browsers.
//
// A plan is an object: `name`, of the client, and `generation`, its major version; `url`, of the server, and `cutUrl`,
// the same over a cable that is cut when the application is told; `transports` to try, of "polling", "jsonp", "websocket"
// and "upgrade" (from the first to the last of these); `texts` and `values` to send; and `crowd`, how many sockets of
// all clients that run at this time meet each other in the end. A report has, by transport, what came of each scenario
// below; `error` is that of one that failed. What is right is known in socketio_conversations.py.
"use strict";

(function (exports) {

const PATIENCE = 20000; // milliseconds for one scenario
const PATIENCE_WITH_OTHERS = 60000;
const FIRST_NAMES = { polling: "xhr-polling", jsonp: "jsonp-polling", websocket: "websocket" };
const FAILURES = ["connect_error", "connect_failed", "error"];
const MANY = 60;

const sleep = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));
const codePoints = (text) => Array.from(text, (character) => character.codePointAt(0));
const next = (socket, name) => new Promise((resolve) => socket.once(name, (...args) => resolve(args)));
const ask = (socket, ...args) =>
  new Promise((resolve) => socket.emit(...args, (...answer) => resolve(answer)));

function makeBytes(values) {
  return typeof Buffer === "undefined" ? Uint8Array.from(values).buffer : Buffer.from(values);
}

function viewBytes(value) {
  return ArrayBuffer.isView(value) ? new Uint8Array(value.buffer, value.byteOffset, value.byteLength)
    : new Uint8Array(value);
}

// Returns a value as JSON can tell it.
function describe(value) {
  if (value instanceof ArrayBuffer || ArrayBuffer.isView(value)) {
    return { bytes: Array.from(viewBytes(value), (byte) => byte.toString(16).padStart(2, "0")).join("") };
  }
  if (Array.isArray(value)) { return value.map(describe); }
  if (value === null || typeof value !== "object") { return value; }
  return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, describe(part)]));
}

function collect(socket, name) {
  const heard = [];
  socket.on(name, (...args) => heard.push(args.length === 1 ? args[0] : args));
  return heard;
}

// One version of the library, on one transport, with one way to say what each generation says differently.
class Client {
  constructor(io, plan, transport) {
    Object.assign(this, { io, plan, transport, generation: plan.generation, sockets: [] });
  }

  open({ query = {}, reconnection = false, url = this.plan.url } = {}) {
    const { generation, transport } = this;
    let socket;
    if (generation === 0) {
      this.io.transports = [FIRST_NAMES[transport]]; // an option of this name is merged into it, item by item
      socket = this.io.connect(`${url}/?${new URLSearchParams(query)}`, {
        "force new connection": true,
        reconnect: reconnection,
        "reconnection delay": 20,
      });
    } else {
      socket = this.io(url, {
        transports: { jsonp: ["polling"], upgrade: ["polling", "websocket"] }[transport] || [transport],
        forceJSONP: transport === "jsonp",
        forceNew: true,
        reconnection,
        reconnectionDelay: 20,
        query,
        ...(this.plan.parser && { parser: this.plan.parser }),
      });
    }
    this.sockets.push(socket);
    return socket;
  }

  // Opens another namespace over a socket's connection.
  also(socket, namespace, auth = {}) {
    if (this.generation === 0) { return socket.socket.of(namespace); }
    return socket.io.socket(namespace, this.generation < 3 ? { query: `${new URLSearchParams(auth)}` } : { auth });
  }

  connected(socket) {
    return new Promise((resolve, reject) => {
      socket.once("connect", () => resolve(socket));
      for (const name of FAILURES) { socket.on(name, (reason) => reject(new Error(`${name}: ${reason}`))); }
    });
  }

  connect(options) {
    return this.connected(this.open(options));
  }

  // Returns how a namespace is refused: the event, and what it says.
  refused(socket) {
    return new Promise((resolve, reject) => {
      socket.once("connect", () => reject(new Error("not refused")));
      for (const name of FAILURES) {
        socket.on(name, (reason) =>
          resolve([name, reason instanceof Error ? { message: reason.message, data: reason.data } : reason]));
      }
    });
  }

  id(socket) {
    return this.generation === 0 ? socket.socket.sessionid : socket.id;
  }

  isConnected(socket) {
    return this.generation === 0 ? socket.socket.connected : socket.connected;
  }

  close() {
    for (const socket of this.sockets.splice(0)) { socket.disconnect(); }
  }
}

const scenarios = {
  async connect(client) {
    const socket = await client.connect({ query: { name: "Zoë & 😀" } });
    const [facts] = await ask(socket, "facts");
    return { id: client.id(socket), facts };
  },

  async events(client, { values }) {
    const socket = await client.connect(), echoed = next(socket, "echoed");
    socket.emit("echo_event", ...values);
    return {
      echoed: await echoed,
      answer: await ask(socket, "echo", ...values),
      later: await ask(socket, "later", 7),
      nothing: await ask(socket, "nothing"),
      several: await ask(socket, "several"),
    };
  },

  async questions(client) {
    const socket = await client.connect();
    socket.on("question", (a, b, answer) => answer(a + b, "so viel: ½"));
    return { all: (await ask(socket, "ask_me", 2, 3))[0], first: (await ask(socket, "ask_me_more", 20, 30))[0] };
  },

  async texts(client, { texts }) {
    const socket = await client.connect(), report = {};
    for (const [name, text] of Object.entries(texts)) {
      const [heard, answer] = await ask(socket, "points", text), echoed = next(socket, "echoed");
      socket.emit("echo_event", text);
      report[name] = { heard, answer: codePoints(answer), echoed: codePoints((await echoed)[0]) };
    }
    return report;
  },

  async messages(client, { texts }) {
    const socket = await client.connect(), heard = collect(socket, "message");
    Object.values(texts).forEach((text) => socket.send(text));
    const json = client.generation === 0 ? socket.json : socket;
    json.send({ some: ["thing", "ü"] });
    await ask(socket, "echo");
    return heard;
  },

  async large(client) {
    const socket = await client.connect(), report = {};
    for (const [name, unit] of Object.entries({ ascii: "x", latin: "é", emoji: "😀" })) {
      const text = unit.repeat(100000 / new TextEncoder().encode(unit).length);
      const [heard, back] = await ask(socket, "size", text);
      report[name] = { heard, same: back === text };
    }
    return report;
  },

  async burst(client) {
    const socket = await client.connect(), heard = collect(socket, "number");
    for (let i = 0; i < MANY; i++) {
      const more = client.generation > 0 && i % 7 === 3 ? [makeBytes([i, 255])] : i % 7 === 5 ? ["ü"] : [];
      socket.emit("count", i, ...more);
    }
    const [counted] = await ask(socket, "counted");
    await ask(socket, "burst", MANY);
    return { counted, heard: describe(heard) };
  },

  async binary(client) {
    if (client.generation === 0) { return {}; }
    const socket = await client.connect(), every = makeBytes(Array.from(Array(256).keys())), empty = makeBytes([]);
    const thing = { every, nested: [{ deep: makeBytes([0xc3, 0xbc, 0]) }, "text 😀", empty], number: 1 };
    if (typeof Blob !== "undefined" && typeof process === "undefined") { thing.blob = new Blob([every]); }
    const [heard, answer] = await ask(socket, "describe", thing), echoed = next(socket, "echoed");
    socket.emit("echo_event", every, thing, empty);
    const given = next(socket, "bytes");
    socket.emit("give_bytes");
    socket.on("bytes_question", (bytes, reply) => reply({ again: bytes }, bytes));
    const large = makeBytes(Array(100000).fill(0).map((_, i) => i * i & 255));
    const [size, back] = await ask(socket, "size", large);
    return {
      heard,
      answer: describe(answer),
      echoed: describe(await echoed),
      given: describe(await given),
      asked: await ask(socket, "ask_bytes"),
      size,
      same: viewBytes(back).every((byte, i) => byte === viewBytes(large)[i]),
    };
  },

  async namespaces(client) {
    const base = await client.connect({ query: { token: "sésame" } }), heardBelow = collect(base, "hello");
    const admin = client.also(base, "/admin", { token: "sésame" }), hello = next(admin, "hello");
    await client.connected(admin);
    const dynamic = await client.connected(client.also(base, "/room-7"));
    const report = {
      hello: await hello,
      where: await ask(admin, "where"),
      dynamic: await ask(dynamic, "where"),
      forbidden: await client.refused(client.also(base, "/forbidden", { token: "ü" })),
      nowhere: client.generation > 0 && await client.refused(client.also(base, "/nowhere")),
    };
    return { ...report, still: await ask(base, "echo", "here"), heardBelow };
  },

  async rooms(client, plan) {
    const sockets = await Promise.all([client.connect(), client.connect(), client.connect()]);
    const heard = sockets.map((socket) => collect(socket, "said")), [first, second, third] = sockets;
    const room = `room ü ${Math.random()}`, other = `other ${Math.random()}`;
    const [{ id }] = await ask(first, "facts");
    await ask(first, "join", room);
    await ask(second, "join", room);
    await ask(third, "say", [room], "to both");
    await ask(first, "say_to_others", room, "to the second");
    await ask(third, "say_except", room, id, "to the second, again");
    await ask(second, "leave_room", room);
    await ask(third, "say", [room], "to the first");
    await ask(first, "join", other);
    await ask(third, "join", other);
    await ask(second, "say", [room, other], "to two rooms");
    await Promise.all(sockets.map((socket) => ask(socket, "echo"))); // what was sent before has come
    return heard;
  },

  async server_disconnects(client) {
    const name = `${Math.random()}`, token = "sésame";
    const base = await client.connect({ query: { name, token }, reconnection: true });
    const admin = await client.connected(client.also(base, "/admin", { token: "sésame" }));
    const left = next(admin, "disconnect");
    admin.emit("send_me_away", false);
    const [namespaceReason] = await left, report = { namespaceReason, still: await ask(base, "echo", "here") };
    const gone = next(base, "disconnect");
    base.emit("send_me_away", true);
    [report.reason] = await gone;
    await sleep(150);
    report.connected = client.isConnected(base);
    const witness = await client.connect();
    return { ...report, told: await ask(witness, "end_of", name) };
  },

  async client_disconnects(client) {
    const name = `${Math.random()}`, socket = await client.connect({ query: { name } });
    const witness = await client.connect(), gone = next(socket, "disconnect");
    const told = ask(witness, "end_of", name);
    socket.disconnect();
    return { reason: (await gone)[0], told: await told };
  },

  async reconnect(client, { cutUrl }) {
    const name = `${Math.random()}`, token = "sésame", witness = await client.connect();
    const base = await client.connect({ query: { name, token }, reconnection: true, url: cutUrl });
    const admin = await client.connected(client.also(base, "/admin", { token }));
    const id = client.id(base), gone = next(base, "disconnect"), back = next(base, "connect");
    const adminBack = next(admin, "connect");
    base.emit("cut");
    const [reason] = await gone, buffered = ask(base, "echo", "said while away");
    await back;
    if (client.generation > 0) { await adminBack; } // the first generation does not tell
    return {
      reason,
      buffered: await buffered,
      sameId: client.id(base) === id,
      where: await ask(admin, "where"),
      told: client.generation > 0 && await ask(witness, "end_of", name), // the first generation may come back for long
    };
  },

};

const upgrading = {
  async upgrade(client) {
    const socket = client.open(), numbers = collect(socket, "number"), engine = socket.io.engine;
    const before = engine.transport.name;
    let upgraded = false;
    const upgrade = next(engine, "upgrade").then(() => { upgraded = true; });
    await client.connected(socket);
    const burst = ask(socket, "burst", MANY);
    let sent = 0;
    while (!upgraded) {
      socket.emit("count", sent++);
      await sleep(1);
    }
    await upgrade;
    socket.emit("count", sent++);
    const [counted] = await ask(socket, "counted"), [facts] = await ask(socket, "facts");
    await burst;
    return {
      before,
      after: engine.transport.name,
      seen: facts.transport,
      lost: counted.length !== sent || counted.some(([number], i) => number !== i),
      heard: describe(numbers),
    };
  },

  reconnect: scenarios.reconnect,
};

// All clients, on all their transports, in one room.
async function crowd(client, plan) {
  const socket = await client.connect(), name = `${plan.name}, ${client.transport} 😀`;
  const told = collect(socket, "told"), complete = next(socket, "complete"), allTold = next(socket, "all_told");
  socket.on("who", (answer) => answer(name));
  socket.emit("join_crowd", plan.crowd);
  await complete;
  socket.emit("tell_crowd", `Hello from ${name}`);
  return { answers: (await allTold)[0], told };
}

async function play(scenario, client, plan, patience = PATIENCE) {
  let timer;
  const late = new Promise((_, reject) => { timer = setTimeout(() => reject(new Error("too late")), patience); });
  try {
    return await Promise.race([scenario(client, plan), late]);
  } catch (error) {
    return { error: String(error.stack || error) };
  } finally {
    clearTimeout(timer);
    client.close();
  }
}

exports.run = async function (io, plan) {
  const report = {};
  for (const transport of plan.transports) {
    report[transport] = {};
    for (const [name, scenario] of Object.entries(transport === "upgrade" ? upgrading : scenarios)) {
      report[transport][name] = await play(scenario, new Client(io, plan, transport), plan);
    }
  }
  await Promise.all(plan.transports.map(async (transport) => {
    report[transport].crowd = await play(crowd, new Client(io, plan, transport), plan, PATIENCE_WITH_OTHERS);
  }));
  return report;
};

})(typeof module === "undefined" ? (window.scenarios = {}) : module.exports);
