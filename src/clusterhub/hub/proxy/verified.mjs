// Loaded by node before configurable-http-proxy (`--import`): how the proxy reaches sessions, and how it makes
// sure that it is them. A session's name holds its node's address, which no name server knows, and stands in
// its certificate (`clusterhub.tls.names`).
//
// Without this, node would check the certificate against the Host header, which is whatever the browser sent
// (`calculateServerName` of node's lib/_http_agent.js, seen with 24.19).

import dns from "node:dns";
import https from "node:https";
import net from "node:net";

const NAME = /^[0-9a-f]{32}\.([0-9a-f]{1,4}(?:-[0-9a-f]{1,4})+)\.session\.clusterhub\.alt$/;

/** The IP address in a session's name; null for every other name. */
export function addressIn(name) {
  const found = NAME.exec(name);
  if (!found) return null;
  const parts = found[1].split("-");
  const address = parts.join(parts.length === 4 ? "." : ":");
  return net.isIP(address) ? address : null;
}

function lookup(name, options, callback) {
  const address = addressIn(name);
  if (address === null) return dns.lookup(name, options, callback);
  const family = net.isIP(address);
  process.nextTick(() =>
    options.all ? callback(null, [{ address, family }]) : callback(null, address, family),
  );
}

const hub = new URL(process.env.CLUSTERHUB_INTERNAL_URL ?? "https://hub.invalid");

function isHub(host, port) {
  return host === hub.hostname.replace(/^\[|\]$/g, "") && String(port) === (hub.port || "443");
}

class VerifyingAgent extends https.Agent {
  createConnection(options, callback) {
    const { host, port } = options;
    const verified = {
      ...options,
      lookup,
      servername: net.isIP(host) ? "" : host,
      rejectUnauthorized: true,
      minVersion: "TLSv1.2",
    };
    if (addressIn(host) === null && !isHub(host, port)) {
      // A service that the operator added to JupyterHub: the hub's authority says nothing of it.
      for (const key of ["ca", "cert", "key"]) delete verified[key];
    }
    return super.createConnection(verified, callback);
  }
}

https.Agent = VerifyingAgent;
