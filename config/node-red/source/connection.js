// Whether the broker is there, from the status of the nodes that subscribe.
const connected = Boolean(msg.status) && msg.status.fill === "green";
const link = flow.get("link");
if (!link || link.connected !== connected) {
    flow.set("link", { connected, since: Date.now() });
}
return null;
