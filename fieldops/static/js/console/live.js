/**
 * What happens, as it happens: Server-Sent Events, read with fetch.
 * EventSource itself tells nothing of heartbeats, of a refusal's status or of Retry-After, and
 * hears only kinds that were named before; a dispatcher has to know when she is not up to date.
 */

/** @typedef {import("./board.js").Happening} Happening */

/**
 * @typedef {object} Listener
 * @property {(happening: Happening) => void} happened
 * @property {(isResumed: boolean) => void} opened
 * @property {() => void} alive - something came, were it a heartbeat
 * @property {(status: number) => void} lost - 0: no connection
 * @property {(position: number) => void} restarted - the log is another one, or shorter than known
 */

const URL_OF_STREAM = "/api/v1/events/stream";
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 8_000;
const SILENCE_MS = 15_000;

/**
 * Follow the stream from a position on, for as long as the page lives.
 * @param {number} after
 * @param {Listener} listener
 */
export async function follow(after, listener) {
  let position = after;
  let pause = FIRST_PAUSE_MS;
  let isResumed = false;
  for (;;) {
    const giveUp = new AbortController();
    let status = 0;
    let retryAfterMs = 0;
    try {
      const response = await fetch(URL_OF_STREAM, {
        signal: giveUp.signal,
        cache: "no-store",
        headers: { Accept: "text/event-stream", "Last-Event-ID": String(position) },
      });
      status = response.status;
      if (response.ok && response.body) {
        listener.opened(isResumed);
        listener.alive();
        isResumed = true;
        pause = FIRST_PAUSE_MS;
        await readAll(response.body, giveUp, (message) => {
          listener.alive();
          if (message.id) position = Math.max(position, Number(message.id));
          if (message.event === "reset") listener.restarted(position = Number(JSON.parse(message.data).position));
          else if (message.data) tell(message, listener);
        });
      } else {
        retryAfterMs = 1000 * Number(response.headers.get("Retry-After") ?? 0);
        await response.body?.cancel();
      }
    } catch (error) {
      if (error instanceof SyntaxError) throw error;
    }
    listener.lost(status);
    await waitFor(Math.max(pause, retryAfterMs));
    pause = Math.min(pause * 2, LONGEST_PAUSE_MS);
  }
}

/**
 * @param {Message} message
 * @param {Listener} listener
 */
function tell(message, listener) {
  const data = JSON.parse(message.data);
  if (data && typeof data.kind === "string") listener.happened(data);
}

/** A pause that the network's return ends. @param {number} longest */
function waitFor(longest) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, longest);
    addEventListener("online", () => { clearTimeout(timer); resolve(null); }, { once: true });
  });
}

/**
 * @param {ReadableStream<Uint8Array>} body
 * @param {AbortController} giveUp
 * @param {(message: Message) => void} hear - also of comments, as an empty message
 */
async function readAll(body, giveUp, hear) {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  const parse = makeParser(hear);
  let watch = 0;
  const restart = () => {
    clearTimeout(watch);
    watch = setTimeout(() => giveUp.abort(), SILENCE_MS);
  };
  try {
    for (restart(); ;) {
      const { done, value } = await reader.read();
      if (done) return;
      restart();
      parse(decoder.decode(value, { stream: true }));
    }
  } finally {
    clearTimeout(watch);
  }
}

/** @typedef {{id: string, event: string, data: string}} Message */

/**
 * Split a stream of text into messages, as the standard has it.
 * @param {(message: Message) => void} hear
 * @returns {(text: string) => void}
 */
export function makeParser(hear) {
  let rest = "";
  let message = { id: "", event: "", data: "" };
  return (text) => {
    const lines = (rest + text).split(/\r\n|\n|\r(?!$)/);
    rest = lines.pop() ?? "";
    for (const line of lines) {
      if (line === "") {
        hear(message);
        message = { id: "", event: "", data: "" };
        continue;
      }
      if (line.startsWith(":")) {
        hear({ id: "", event: "", data: "" });
        continue;
      }
      const [, name, value] = /^([^:]*)(?:: ?(.*))?$/s.exec(line) ?? ["", "", ""];
      if (name === "data") message.data += (message.data && "\n") + (value ?? "");
      else if (name === "id" || name === "event") message[name] = value ?? "";
    }
  };
}
