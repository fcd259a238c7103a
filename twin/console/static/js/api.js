// What the service is asked: JSON, forms, and a stream of server-sent events that is resumed by number after a break.

const KEY = "tiepoint-key";
const WAIT_MS = [500, 1000, 2000, 5000, 10000];
const SILENCE_MS = 25000; // the service speaks at least every 10 s

export class Refused extends Error {
  constructor(status, detail, remedy) {
    super(remedy ? `${detail}. ${remedy}` : detail);
    this.status = status;
  }
}

export function setKey(key) {
  sessionStorage.setItem(KEY, key);
}

function headers(more = {}) {
  const key = sessionStorage.getItem(KEY);
  return key ? { ...more, authorization: `Bearer ${key}` } : more;
}

async function answered(response) {
  if (response.ok) return response;
  let said = {};
  try {
    said = await response.json();
  } catch {
    // a proxy's answer, not ours
  }
  throw new Refused(response.status, said.detail || said.title || `the service answered ${response.status}`, said.remedy);
}

export async function get(path, parameters = {}) {
  const asked = new URLSearchParams(Object.entries(parameters).filter(([, value]) => value !== undefined && value !== null));
  const query = asked.size ? `?${asked}` : "";
  return (await answered(await fetch(`v1/${path}${query}`, { headers: headers() }))).json();
}

export async function picture(path) {
  return (await answered(await fetch(`v1/${path}`, { headers: headers() }))).blob();
}

export async function postForm(path, form) {
  return (await answered(await fetch(`v1/${path}`, { method: "POST", headers: headers(), body: form }))).json();
}

export async function postJson(path, body) {
  const sent = { method: "POST", headers: headers({ "content-type": "application/json" }), body: JSON.stringify(body) };
  return (await answered(await fetch(`v1/${path}`, sent))).json();
}

// Call listener.message(kind, row, number) for each event, listener.state("on" | "waiting" | "refused", detail) for the
// connection, and listener.opened(isFirst) when it stands. Returns a function that ends it.
export function follow(path, listener) {
  const stop = new AbortController();
  let last = null, tries = 0;

  async function once() {
    const attempt = new AbortController();
    const abort = () => attempt.abort();
    stop.signal.addEventListener("abort", abort);
    let watchdog = setTimeout(abort, SILENCE_MS);
    try {
      const sent = last === null ? {} : { "last-event-id": String(last) };
      const response = await answered(await fetch(`v1/${path}`, { headers: headers(sent), signal: attempt.signal }));
      listener.state("on");
      listener.opened(last === null);
      tries = 0;
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      let rest = "";
      for (;;) {
        const { value, done } = await reader.read();
        if (done) return;
        clearTimeout(watchdog);
        watchdog = setTimeout(abort, SILENCE_MS);
        const blocks = (rest + value).split("\n\n");
        rest = blocks.pop();
        for (const block of blocks) {
          const event = parse(block);
          if (event.data === null) continue;
          if (event.id !== null) {
            if (last !== null && event.id <= last) continue;
            last = event.id;
          }
          listener.message(event.kind, JSON.parse(event.data), event.id);
        }
      }
    } finally {
      clearTimeout(watchdog);
      stop.signal.removeEventListener("abort", abort);
    }
  }

  (async () => {
    while (!stop.signal.aborted) {
      try {
        await once();
      } catch (error) {
        if (stop.signal.aborted) return;
        if (error instanceof Refused && [401, 403, 404].includes(error.status)) {
          listener.state("refused", error.message);
          return;
        }
      }
      listener.state("waiting");
      await new Promise((resume) => setTimeout(resume, WAIT_MS[Math.min(tries++, WAIT_MS.length - 1)]));
    }
  })();
  return () => stop.abort();
}

export function parse(block) {
  const event = { id: null, kind: "message", data: null };
  for (const line of block.split("\n")) {
    if (line.startsWith("id: ")) event.id = Number(line.slice(4));
    else if (line.startsWith("event: ")) event.kind = line.slice(7);
    else if (line.startsWith("data: ")) event.data = (event.data === null ? "" : `${event.data}\n`) + line.slice(6);
  }
  return event;
}
