// What the servers that are written in JavaScript share; tests/interop/servers/__init__.py says what they do.
"use strict";

function say(facts) { console.log(JSON.stringify(facts)); }

module.exports = {
  FAREWELL: [4001, "enough, für heute"],
  LARGEST: 2 * 1024 * 1024,
  PATHS: ["/echo", "/leave", "/ping", "/parts"],
  SUBPROTOCOLS: ["v2.example", "v1.example"],
  listen(server) { server.listen(0, "127.0.0.1", () => say({ port: server.address().port })); },
  refuse(socket) { socket.end("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"); },
  say,
};
