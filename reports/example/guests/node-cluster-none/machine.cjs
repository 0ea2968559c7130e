// Loaded before the script, whose words stay as they are: tells it how many CPUs there are, and puts
// the port that is written into it elsewhere, on the loopback address alone.
"use strict";

const net = require("net");
const os = require("os");

const workers = Number(process.env.TEN_COUNTERS_WORKERS);
const port = Number(process.env.TEN_COUNTERS_PORT);

const cpus = os.cpus();
const told = Array.from({ length: workers }, (_, i) => cpus[i % cpus.length]);
os.cpus = () => told;

const listen = net.Server.prototype.listen;
net.Server.prototype.listen = function (asked, ...rest) {
  return asked === 3000
    ? listen.call(this, port, "127.0.0.1", ...rest)
    : listen.call(this, asked, ...rest);
};
