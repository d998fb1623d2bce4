"use strict";
// Keeps the page true: takes the fragments that the server renders anew, and nothing else.
(() => {
  // The server says something every five seconds; three times as long is silence.
  const SILENCE_MS = 15000;
  const AGAIN_MS = 3000;
  const ICONS = { good: "good", idle: "idle", warn: "warn", bad: "bad" };
  const root = document.documentElement;
  const byId = (id) => document.getElementById(id);
  let ahead = Date.parse(root.dataset.time) - Date.now();
  let heard = Date.now();
  let source = null;
  let again = 0;
  let title = document.title;
  let words = statesNow();

  function parse(html) {
    const template = document.createElement("template");
    template.innerHTML = html;
    return template.content.firstElementChild;
  }

  // Makes an old node like a fresh one and touches only what differs, so that the focus, the
  // selection, what is open and the place of a screen reader stay.
  function patch(old, fresh) {
    if (old.nodeType !== fresh.nodeType || old.nodeName !== fresh.nodeName) {
      old.replaceWith(fresh);
      return;
    }
    if (old.nodeType !== Node.ELEMENT_NODE) {
      if (old.data !== fresh.data) old.data = fresh.data;
      return;
    }
    const isTime = old.localName === "time";
    if (isTime && old.dateTime === fresh.dateTime) return;
    for (const { name } of [...old.attributes]) {
      if (!fresh.hasAttribute(name) && name !== "open") old.removeAttribute(name);
    }
    for (const { name, value } of fresh.attributes) {
      if (old.getAttribute(name) !== value) old.setAttribute(name, value);
    }
    const before = [...old.childNodes];
    const after = [...fresh.childNodes];
    after.forEach((node, at) => (before[at] ? patch(before[at], node) : old.append(node)));
    before.slice(after.length).forEach((node) => node.remove());
  }

  function put(id, html) {
    const fresh = parse(html);
    const old = byId(id);
    if (old) patch(old, fresh);
    else if (fresh.localName === "tr") byId("rows").append(fresh);
  }

  function arrange(order) {
    const rows = byId("rows");
    const focused = document.activeElement;
    const wanted = new Set(order);
    for (const row of [...rows.children]) if (!wanted.has(row.id)) row.remove();
    order.forEach((id, at) => {
      const row = byId(id);
      if (row && rows.children[at] !== row) rows.insertBefore(row, rows.children[at] || null);
    });
    if (focused && focused !== document.activeElement && focused.isConnected) focused.focus();
    rows.parentElement.classList.toggle("dense", order.length > Number(root.dataset.dense));
  }

  function statesNow() {
    const states = new Map();
    for (const row of document.querySelectorAll("#rows > tr")) {
      const name = row.querySelector("b");
      const word = row.querySelector(".word");
      if (name && word) states.set(row.id, [name.textContent, word.textContent]);
    }
    return states;
  }

  // Only what changed is said aloud, and not numbers.
  function announce() {
    const now = statesNow();
    const news = [];
    for (const [id, [name, word]] of now) {
      if (!words.has(id) || words.get(id)[1] !== word) news.push(`${name}: ${word}`);
    }
    words = now;
    if (news.length > 3) byId("news").textContent = `${news.length} servers changed. ${byId("words").textContent}`;
    else if (news.length) byId("news").textContent = `${news.join(". ")}.`;
  }

  function icon(name) {
    const link = byId("icon");
    const wanted = `assets/${name}.svg`;
    if (link.getAttribute("href") !== wanted) link.setAttribute("href", wanted);
  }

  function span(seconds) {
    if (seconds < 120) return `${Math.max(0, Math.floor(seconds))} s`;
    if (seconds < 7200) return `${Math.floor(seconds / 60)} min`;
    if (seconds < 172800) return `${Math.floor(seconds / 3600)} h`;
    return `${Math.floor(seconds / 86400)} days`;
  }

  function ago(seconds) {
    return seconds < 2 ? "now" : `${span(seconds)} ago`;
  }

  function tellTimes() {
    const now = Date.now() + ahead;
    for (const time of document.querySelectorAll("time")) {
      const moment = Date.parse(time.dateTime);
      const seconds = (now - moment) / 1000;
      const text = time.className === "since" ? `for ${span(seconds)}` : ago(seconds);
      if (time.textContent !== text) time.textContent = text;
      if (!time.title || time.dataset.of !== time.dateTime) {
        time.title = new Date(moment).toLocaleString();
        time.dataset.of = time.dateTime;
      }
    }
  }

  function take(update) {
    if (update.version !== root.dataset.version) {
      location.reload();
      return;
    }
    heard = Date.now();
    ahead = Date.parse(update.time) - heard;
    for (const [id, html] of Object.entries(update.parts)) put(id, html);
    arrange(update.order);
    announce();
    title = update.title;
    root.dataset.level = update.level;
    found();
    tellTimes();
  }

  function found() {
    root.classList.remove("lost");
    byId("lost").hidden = true;
    byId("live").textContent = "Live";
    document.title = title;
    icon(ICONS[root.dataset.level] || "idle");
  }

  function lose() {
    if (!root.classList.contains("lost")) {
      root.classList.add("lost");
      const since = new Date(heard).toLocaleTimeString();
      byId("lost-since").textContent = since;
      byId("lost").hidden = false;
      byId("live").textContent = `Values of ${since}`;
      document.title = `No connection · ${title}`;
      icon("idle");
    }
    if (source) source.close();
    source = null;
    if (!again) again = setTimeout(connect, AGAIN_MS);
  }

  function connect() {
    again = 0;
    source = new EventSource("events");
    source.addEventListener("update", (event) => take(JSON.parse(event.data)));
    source.addEventListener("error", lose);
  }

  setInterval(() => {
    tellTimes();
    if (source && Date.now() - heard > SILENCE_MS) lose();
  }, 1000);
  // A phone that was asleep has old values until the server speaks again.
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden && Date.now() - heard > SILENCE_MS) lose();
  });
  tellTimes();
  connect();
})();
