// The server of the node package "ws"; tests/interop/servers/__init__.py says what it does.
"use strict";

const { createServer } = require("http");
const { WebSocketServer } = require("ws");
const { FAREWELL, LARGEST, PATHS, SUBPROTOCOLS, listen, refuse, say } = require("./saying.js");

const webSockets = new WebSocketServer({
  noServer: true,
  maxPayload: LARGEST,
  perMessageDeflate: true,
  handleProtocols: (offered) => SUBPROTOCOLS.find((name) => offered.has(name)) || false,
});

function talk(webSocket, path) {
  webSocket.on("message", (data, isBinary) => {
    if (path !== "/parts") { return webSocket.send(data, { binary: isBinary }); }
    for (let start = 0; start < data.length; start += 3) {
      webSocket.send(data.subarray(start, start + 3), { binary: isBinary, fin: start + 3 >= data.length });
    }
  });
  webSocket.on("pong", () => webSocket.send("you live"));
  webSocket.on("close", (code, reason) => say({ closed: [code, reason.toString()] }));
  if (path === "/leave") { webSocket.close(...FAREWELL); }
  if (path === "/ping") { webSocket.ping("are you there?"); }
}

const server = createServer();
server.on("upgrade", (request, socket, head) => {
  if (!PATHS.includes(request.url)) { return refuse(socket); }
  webSockets.handleUpgrade(request, socket, head, (webSocket) => talk(webSocket, request.url));
});
listen(server);
