// noVNC's own Websock, on the WebSocket of the node package "ws": greets a VNC server as its RFB does, reads a picture
// and prints what it got as JSON. Arguments: the URL, the size of the picture.
"use strict";

const { createHash } = require("crypto");
globalThis.window = globalThis; // noVNC is made for browsers
globalThis.WebSocket = require("ws");
const Websock = require("@novnc/novnc/lib/websock").default;

const [url, size] = [process.argv[2], Number(process.argv[3])];
const report = {};
const socket = new Websock();

const steps = [
  [12, () => { report.greeting = socket.rQshiftStr(12); socket.sQpushString("RFB 003.008\n"); socket.flush(); }],
  [2, () => { report.security = Array.from(socket.rQshiftBytes(2)); socket.sQpush8(1); socket.flush(); }],
  [4, () => { report.result = socket.rQshift32(); }],
  [size, () => { report.picture = createHash("sha256").update(socket.rQshiftBytes(size)).digest("hex"); }],
];

socket.on("message", () => {
  while (steps.length && !socket.rQwait("a step", steps[0][0])) { steps.shift()[1](); }
});
socket.on("open", () => { report.subprotocol = socket._websocket.protocol; });
socket.on("close", ({ code, reason }) => { console.log(JSON.stringify({ ...report, code, reason })); });
socket.open(url, ["binary", "base64"]);
