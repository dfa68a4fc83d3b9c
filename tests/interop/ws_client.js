// The client of the node package "ws"; tests/interop/script.py says what it reads and prints.
"use strict";

const { createHash } = require("crypto");
const WebSocket = require("ws");
const { version } = require("ws/package.json");

function decode({ text, binary, times }) {
  if (text !== undefined) { return text.repeat(times); }
  const unit = Buffer.from(binary, "hex");
  return Buffer.alloc(unit.length * times, unit);
}

function tell(data, isBinary) {
  const kind = isBinary ? "binary" : "text";
  if (data.length > 1000) { return { [kind]: createHash("sha1").update(data).digest("hex"), size: data.length }; }
  return { [kind]: data.toString(isBinary ? "hex" : "utf8") };
}

// A queue of things that happen, and of those who wait for them.
function makeQueue() {
  const items = [], takers = [];
  return {
    put(item) { takers.length ? takers.shift()(item) : items.push(item); },
    take() { return new Promise((resolve) => { items.length ? resolve(items.shift()) : takers.push(resolve); }); },
  };
}

async function play(scenario) {
  const report = { client: `ws ${version}`, status: 101, received: [], pongs: [] };
  const options = { perMessageDeflate: scenario.compress };
  if (scenario.origin) { options.origin = scenario.origin; }
  const socket = new WebSocket(scenario.url, scenario.subprotocols, options);
  const messages = makeQueue(), pongs = makeQueue();
  socket.on("message", (data, isBinary) => messages.put(tell(data, isBinary)));
  socket.on("pong", (data) => pongs.put(data.toString()));
  const closed = new Promise((resolve) => socket.on("close", (code, reason) => resolve([code, reason.toString()])));
  report.status = await new Promise((resolve) => {
    socket.on("error", (error) => { report.error = error.message; resolve(null); });
    socket.on("open", () => resolve(101));
    socket.on("unexpected-response", (request, response) => { request.destroy(); resolve(response.statusCode); });
  });
  if (report.status !== 101) { return report; }
  report.subprotocol = socket.protocol || null;
  report.extensions = socket.extensions;
  for (const [verb, ...args] of scenario.steps) {
    if (verb === "send") {
      socket.send(decode(args[0]));
    } else if (verb === "send_parts") {
      args[0].forEach((part, i) => socket.send(decode(part), { fin: i === args[0].length - 1 }));
    } else if (verb === "receive") {
      report.received.push(await messages.take());
    } else if (verb === "ping") {
      socket.ping(args[0]);
      report.pongs.push(await pongs.take());
    } else {
      if (verb === "close") { socket.close(...args); }
      [report.code, report.reason] = await closed;
    }
  }
  socket.terminate();  // if it is still open
  return report;
}

play(JSON.parse(require("fs").readFileSync(0, "utf8"))).then(
  (report) => process.stdout.write(JSON.stringify(report)),
  (error) => { console.error(error); process.exitCode = 1; },
);
