// A JavaScript client of socket.io, by the name it is installed under, on node. Reads a plan as socketio_scenarios.js
// has it, with `client`, and perhaps `parser`, the names of packages, from stdin; prints a report.
"use strict";

const { run } = require("./socketio_scenarios");

const plan = JSON.parse(require("fs").readFileSync(0, "utf8"));
const { version } = require(`${plan.client}/package.json`);
if (plan.parser) { plan.parser = require(plan.parser); }

run(require(plan.client), plan).then((report) => {
  const text = JSON.stringify({ client: `socket.io-client ${version}`, ...report });
  process.stdout.write(text, () => process.exit()); // old clients leave timers behind
});
