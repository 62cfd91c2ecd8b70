"use strict";

const MAX = 200; // As many as the emulator retains.
const records = new Map();
let selected = null;
let functionName = "function";

const $ = (id) => document.getElementById(id);

function element(name, text, className) {
  const made = document.createElement(name);
  made.textContent = text;
  if (className) made.className = className;
  return made;
}

function milliseconds(number) {
  return number === null ? "" : `${number.toFixed(number < 100 ? 2 : 0)} ms`;
}

// JSON is indented; anything else is shown as it is.
function pretty({ text, length, shown }) {
  if (shown < length) return `${text}\n… ${length - shown} more bytes`;
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

function show(record) {
  const known = records.get(record.id);
  const row = known ? known.row : document.createElement("tr");
  records.set(record.id, { record, row });
  row.replaceChildren(
    element("td", new Date(record.called).toLocaleTimeString([], { hourCycle: "h23" })),
    element("td", record.source || "Event", "call"),
    element("td", record.status, record.status),
    element("td", milliseconds(record.duration), "number"),
  );
  if (!known) {
    row.tabIndex = 0;
    row.onclick = () => select(record.id);
    row.onkeydown = (event) => event.key === "Enter" && select(record.id);
    $("invocations").prepend(row);
    $("none").hidden = true;
    if (records.size > MAX) {
      const [oldest, { row }] = records.entries().next().value;
      records.delete(oldest);
      row.remove();
    }
  }
  if (selected === record.id) detail(record);
}

function select(id) {
  records.get(selected)?.row.removeAttribute("aria-selected");
  selected = id;
  const { record, row } = records.get(id);
  row.setAttribute("aria-selected", "true");
  detail(record);
}

function detail(record) {
  $("detail").hidden = false;
  $("title").textContent = record.source || "Event";
  const facts = { "Request ID": record.id, Status: record.status };
  if (record.error) facts.Error = record.error;
  if (record.duration !== null) facts.Duration = milliseconds(record.duration);
  if (record.attempts > 1) facts.Attempts = record.attempts;
  if (record.faults.length > 0) facts.Faults = record.faults.join("\n");
  $("facts").replaceChildren(
    ...Object.entries(facts).flatMap(([name, value]) => [element("dt", name), element("dd", value)]),
  );
  $("detail-event").textContent = pretty(record.event);
  $("detail-response").textContent = pretty(record.response);
  $("detail-log").textContent = record.log;
}

function listen() {
  const source = new EventSource("events");
  const state = (text, className) => Object.assign($("connection"), { textContent: text, className });
  source.onopen = () => state("connected", "connected");
  source.onerror = () => state("disconnected", "disconnected");
  source.onmessage = ({ data }) => show(JSON.parse(data));
}

// The frames of an event stream: lengths, headers, payload and checksums.
async function* frames(body) {
  const reader = body.getReader();
  let bytes = new Uint8Array();
  const decoder = new TextDecoder();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const joined = new Uint8Array(bytes.length + value.length);
    joined.set(bytes);
    joined.set(value, bytes.length);
    bytes = joined;
    while (bytes.length >= 12) {
      const view = new DataView(bytes.buffer, bytes.byteOffset);
      const total = view.getUint32(0);
      const end = 12 + view.getUint32(4);
      if (bytes.length < total) break;
      const headers = {};
      for (let at = 12; at < end; ) {
        const nameEnd = at + 1 + bytes[at];
        const valueStart = nameEnd + 3;
        const valueEnd = valueStart + view.getUint16(nameEnd + 1);
        headers[decoder.decode(bytes.subarray(at + 1, nameEnd))] = decoder.decode(bytes.subarray(valueStart, valueEnd));
        at = valueEnd;
      }
      yield { type: headers[":event-type"], payload: bytes.slice(end, total - 4) };
      bytes = bytes.slice(total);
    }
  }
}

async function send(event) {
  event.preventDefault();
  const button = event.submitter ?? $("send").querySelector("button");
  const began = performance.now();
  const chunks = $("chunks");
  const outcome = (text, className) => Object.assign($("outcome"), { textContent: text, className });
  const append = (text) => {
    const item = document.createElement("li");
    item.append(element("time", `+${Math.round(performance.now() - began)} ms`), element("span", text));
    chunks.append(item);
    // As with the list, the page retains the last ones.
    if (chunks.children.length > 1000) chunks.firstChild.remove();
    item.scrollIntoView({ block: "nearest" });
  };
  chunks.replaceChildren();
  button.disabled = true;
  outcome("running", "running");
  try {
    const response = await fetch(`/2021-11-15/functions/${functionName}/response-streaming-invocations`, {
      method: "POST",
      body: $("event").value,
    });
    if (response.status !== 200) {
      append((await response.json()).Message);
      return outcome(response.headers.get("x-amzn-errortype"), "failed");
    }
    const decoder = new TextDecoder();
    let complete = null;
    for await (const { type, payload } of frames(response.body)) {
      if (type === "PayloadChunk") append(decoder.decode(payload, { stream: true }));
      else complete = JSON.parse(new TextDecoder().decode(payload));
    }
    if (complete === null) outcome("interrupted", "failed");
    else if (complete.ErrorCode) {
      append(complete.ErrorDetails);
      outcome(complete.ErrorCode, "failed");
    } else outcome("complete", "complete");
  } catch (error) {
    outcome(String(error), "failed");
  } finally {
    button.disabled = false;
  }
}

async function start() {
  listen();
  $("send").querySelector("form").onsubmit = send;
  const { name, templates } = await (await fetch("settings.json")).json();
  functionName = name;
  $("template").append(...Object.keys(templates).map((name) => new Option(name)));
  $("template").onchange = () => {
    $("event").value = templates[$("template").value];
  };
}

start();
