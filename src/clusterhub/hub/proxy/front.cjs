// Loaded into the proxy before its own script (node --require).
"use strict";

const fs = require("node:fs");
const http = require("node:http");
const https = require("node:https");

// A renewed certificate is taken up at SIGHUP: connections that are open go on with the former one.
const file = (name) =>
  process.argv.find((word) => word.startsWith(`--${name}=`))?.slice(name.length + 3);
const servers = [];
const createServer = https.createServer;
https.createServer = function (options, ...rest) {
  const server = createServer.call(this, options, ...rest);
  servers.push({ server, options });
  return server;
};
process.on("SIGHUP", () => {
  for (const { server, options } of servers) {
    try {
      server.setSecureContext({
        ...options,
        cert: fs.readFileSync(file("ssl-cert")),
        key: fs.readFileSync(file("ssl-key")),
      });
    } catch (error) {
      console.error(`The renewed certificate was not taken up: ${error.message}`);
    }
  }
});

// Whatever a session or a service answers, it speaks for its own part of the site alone.
const prefix = process.env.CLUSTERHUB_PREFIX;
function partOf(url) {
  const [kind, name] = url.startsWith(prefix) ? url.slice(prefix.length).split(/[/?]/) : [];
  return ["user", "services"].includes(kind) && name ? `${prefix}${kind}/${name}/` : null;
}
const writeHead = http.ServerResponse.prototype.writeHead;
http.ServerResponse.prototype.writeHead = function (...words) {
  const part = partOf(this.req?.url ?? "");
  if (part !== null) {
    // A service worker of one session would else be given the pages of all others, and the hub's.
    if (this.hasHeader("Service-Worker-Allowed")) this.setHeader("Service-Worker-Allowed", part);
    // No page that opens this one gets hold of it, and a session's page not of the hub's.
    this.setHeader("Cross-Origin-Opener-Policy", "noopener-allow-popups");
  }
  return writeHead.apply(this, words);
};
