// The server of the node package "faye-websocket", with "permessage-deflate"; tests/interop/servers/__init__.py says what it does.
"use strict";

const { createServer } = require("http");
// Its newest release leaves it to its driver which versions are spoken, and that speaks hixie only if told to.
const driver = require("websocket-driver");
const { http } = driver;
driver.http = (request, options) => http.call(driver, request, { ...options, allowDrafts: true });
const WebSocket = require("faye-websocket");
const deflate = require("permessage-deflate");
const { FAREWELL, LARGEST, PATHS, SUBPROTOCOLS, listen, refuse, say } = require("./saying.js");

function talk(webSocket, path) {
  webSocket.on("message", (event) => webSocket.send(event.data));
  webSocket.on("close", (event) => say({ closed: [event.code, event.reason] }));
  webSocket.on("open", () => {
    if (path === "/leave") { webSocket.close(...FAREWELL); }
    if (path === "/ping") { webSocket.ping("are you there?", () => webSocket.send("you live")); }
  });
}

const server = createServer();
server.on("upgrade", (request, socket, head) => {
  if (!PATHS.includes(request.url)) { return refuse(socket); }
  const options = { extensions: [deflate], maxLength: LARGEST };
  talk(new WebSocket(request, socket, head, SUBPROTOCOLS, options), request.url);
});
listen(server);
