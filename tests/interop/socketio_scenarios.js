// What the JavaScript clients of socket.io, from 0.9 to 4.x, do with socketio_app.py, on node and in browsers.
//
// A plan is an object: `name`, of the client, and `generation`, its major version; `url`, of the server, and `cutUrl`,
// the same over a cable that is cut when the application is told; `transports` to try, of "polling", "jsonp", "websocket"
// and "upgrade" (from the first to the last of these); `texts` and `values` to send, and perhaps a `blob`; and `crowd`, how many sockets of
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
    Object.assign(this, { io, plan, transport, generation: plan.generation, sockets: [], lasting: null });
  }

  // Returns a socket that many scenarios use.
  async shared() {
    if (!this.lasting) {
      this.lasting = await this.connect({ query: { name: "Zoë & 😀" } });
      this.sockets.pop();
    }
    return this.lasting;
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

  // Closes what a scenario has opened, and, if it failed or was the last one, what is shared.
  close(all) {
    for (const socket of this.sockets.splice(0)) { socket.disconnect(); }
    if (all && this.lasting) {
      this.lasting.disconnect();
      this.lasting = null;
    }
  }
}

const scenarios = {
  async connect(client) {
    const socket = await client.shared(), [facts] = await ask(socket, "facts");
    return { id: client.id(socket), facts };
  },

  async events(client, { values }) {
    const socket = await client.shared(), echoed = next(socket, "echoed");
    socket.emit("echo_event", ...values);
    const [answer, later, nothing, several] = await Promise.all([
      ask(socket, "echo", ...values),
      ask(socket, "later", 7),
      ask(socket, "nothing"),
      ask(socket, "several"),
    ]);
    return { echoed: await echoed, answer, later, nothing, several };
  },

  async questions(client) {
    const socket = await client.shared();
    socket.on("question", (a, b, answer) => answer(a + b, "so viel: ½"));
    const [[all], [first]] = await Promise.all([ask(socket, "ask_me", 2, 3), ask(socket, "ask_me_more", 20, 30)]);
    return { all, first };
  },

  async texts(client, { texts }) {
    const socket = await client.shared(), names = Object.keys(texts), echoed = collect(socket, "echoed");
    const answers = await Promise.all(Object.values(texts).map((text) => {
      socket.emit("echo_event", text);
      return ask(socket, "points", text);
    }));
    return Object.fromEntries(answers.map(([heard, answer], i) =>
      [names[i], { heard, answer: codePoints(answer), echoed: codePoints(echoed[i]) }]));
  },

  async messages(client, { texts }) {
    const socket = await client.shared(), heard = collect(socket, "message");
    Object.values(texts).forEach((text) => socket.send(text));
    const json = client.generation === 0 ? socket.json : socket;
    json.send({ some: ["thing", "ü"] });
    await ask(socket, "echo");
    return heard;
  },

  async large(client) {
    const socket = await client.shared(), report = {};
    for (const [name, unit] of Object.entries({ ascii: "x", latin: "é", emoji: "😀" })) {
      const text = unit.repeat(100000 / new TextEncoder().encode(unit).length);
      const [heard, back] = await ask(socket, "size", text);
      report[name] = { heard, same: back === text };
    }
    return report;
  },

  async burst(client) {
    const socket = await client.shared(), heard = collect(socket, "number");
    for (let i = 0; i < MANY; i++) {
      const more = client.generation > 0 && i % 7 === 3 ? [makeBytes([i, 255])] : i % 7 === 5 ? ["ü"] : [];
      socket.emit("count", i, ...more);
    }
    const [counted] = await ask(socket, "counted");
    await ask(socket, "burst", MANY);
    return { counted, heard: describe(heard) };
  },

  async binary(client, { blob }) {
    if (client.generation === 0) { return {}; }
    const socket = await client.shared(), every = makeBytes(Array.from(Array(256).keys())), empty = makeBytes([]);
    const thing = { every, nested: [{ deep: makeBytes([0xc3, 0xbc, 0]) }, "text 😀", empty], number: 1 };
    if (blob) { thing.blob = new Blob([every]); }
    const echoed = next(socket, "echoed"), given = next(socket, "bytes");
    const large = makeBytes(Array(100000).fill(0).map((_, i) => i * i & 255));
    socket.on("bytes_question", (bytes, reply) => reply({ again: bytes }, bytes));
    socket.emit("echo_event", every, thing, empty);
    socket.emit("give_bytes");
    const [[heard, answer], asked, [size, back]] = await Promise.all([
      ask(socket, "describe", thing),
      ask(socket, "ask_bytes"),
      ask(socket, "size", large),
    ]);
    return {
      heard,
      answer: describe(answer),
      echoed: describe(await echoed),
      given: describe(await given),
      asked,
      size,
      same: viewBytes(back).every((byte, i) => byte === viewBytes(large)[i]),
    };
  },

  async namespaces(client) {
    const base = await client.connect({ query: { token: "sésame" } }), heardBelow = collect(base, "hello");
    const admin = client.also(base, "/admin", { token: "sésame" }), hello = next(admin, "hello");
    await client.connected(admin);
    const dynamic = await client.connected(client.also(base, "/room-7"));
    const [where, whereElse, forbidden, nowhere] = await Promise.all([
      ask(admin, "where"),
      ask(dynamic, "where"),
      client.refused(client.also(base, "/forbidden", { token: "ü" })),
      client.generation > 0 && client.refused(client.also(base, "/nowhere")),
    ]);
    const still = await ask(base, "echo", "here");
    return { hello: await hello, where, dynamic: whereElse, forbidden, nowhere, still, heardBelow };
  },

  async rooms(client, plan) {
    const sockets = await Promise.all([client.connect(), client.connect(), client.shared()]);
    const heard = sockets.map((socket) => collect(socket, "said")), [first, second, third] = sockets;
    const room = `room ü ${Math.random()}`, other = `other ${Math.random()}`;
    const [[{ id }]] = await Promise.all([
      ask(first, "facts"),
      ask(first, "join", room),
      ask(second, "join", room),
      ask(third, "join", other),
    ]);
    await ask(first, "say_to_others", room, "to the second");
    third.emit("say", [room], "to both");
    third.emit("say_except", room, id, "to the second, again");
    third.emit("say", [room, other], "to two rooms");
    await ask(third, "echo");
    await ask(second, "leave_room", room);
    await ask(third, "say", [room], "to the first");
    await Promise.all(sockets.map((socket) => ask(socket, "echo"))); // what was sent before has come
    return heard;
  },

  async server_disconnects(client) {
    const name = `${Math.random()}`, token = "sésame";
    const base = await client.connect({ query: { name, token }, reconnection: true });
    const admin = await client.connected(client.also(base, "/admin", { token }));
    const left = next(admin, "disconnect");
    admin.emit("send_me_away", false);
    const [namespaceReason] = await left, report = { namespaceReason, still: await ask(base, "echo", "here") };
    const gone = next(base, "disconnect");
    base.emit("send_me_away", true);
    [report.reason] = await gone;
    await sleep(150);
    report.connected = client.isConnected(base);
    return { ...report, told: await ask(await client.shared(), "end_of", name) };
  },

  async client_disconnects(client) {
    const name = `${Math.random()}`, socket = await client.connect({ query: { name } });
    const gone = next(socket, "disconnect"), told = ask(await client.shared(), "end_of", name);
    if (client.generation > 0) { socket.emit("last_words", "farewell"); } // the first generation forgets to send them
    socket.disconnect();
    return { reason: (await gone)[0], told: await told };
  },

  async reconnect(client, { cutUrl }) {
    const name = `${Math.random()}`, token = "sésame", witness = await client.shared();
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
  const socket = await client.shared(), name = `${plan.name}, ${client.transport} 😀`;
  const told = collect(socket, "told"), complete = next(socket, "complete"), allTold = next(socket, "all_told");
  socket.on("who", (answer) => answer(name));
  socket.emit("join_crowd", plan.crowd);
  await complete;
  socket.emit("tell_crowd", `Hello from ${name}`);
  return { answers: (await allTold)[0], told };
}

async function play(scenario, client, plan, patience = PATIENCE) {
  let timer, failed = true;
  const late = new Promise((_, reject) => { timer = setTimeout(() => reject(new Error("too late")), patience); });
  try {
    const told = await Promise.race([scenario(client, plan), late]);
    failed = false;
    return told;
  } catch (error) {
    return { error: String(error.stack || error) };
  } finally {
    clearTimeout(timer);
    client.close(failed);
  }
}

exports.run = async function (io, plan) {
  const report = {}, clients = plan.transports.map((transport) => new Client(io, plan, transport));
  for (const client of clients) {
    const told = report[client.transport] = {};
    for (const [name, scenario] of Object.entries(client.transport === "upgrade" ? upgrading : scenarios)) {
      told[name] = await play(scenario, client, plan);
    }
  }
  await Promise.all(clients.map(async (client) => {
    report[client.transport].crowd = await play(crowd, client, plan, PATIENCE_WITH_OTHERS);
    client.close(true);
  }));
  return report;
};

})(typeof module === "undefined" ? (window.scenarios = {}) : module.exports);
