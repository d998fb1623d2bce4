// Forgets all that is known; what is there is heard again within a poll.
for (const place of ["servers", "endpoints", "proxies", "programs", "open", "history", "heard"]) {
    flow.set(place, undefined);
}
const link = flow.get("link");
flow.set("link", link && { ...link, since: Date.now() });
return null;
