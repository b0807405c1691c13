// @ts-check
// A page of the chat. It has a client key: it may ask the services, and subscribe to the rooms that Chat has opened.
import { connectText } from "lintel/text";

/** What makes guessing of passwords slow. */
const ITERATIONS = 100_000;

const state = find("#state");
const error = find("#error");
const signIn = /** @type {HTMLFormElement} */ (find("#sign-in"));
const room = find("#room");
const lines = find("#lines");
const say = /** @type {HTMLFormElement} */ (find("#say"));

const { url, key } = await (await fetch("hub.json")).json();
const hub = await connectText(url, {
  key,
  onState: (now) => {
    state.textContent = now;
    state.className = now;
    if (now === "connected") void again();
  },
  onError: (problem, where) => show(problem, where),
});

/** Who this is and where, once signed in. @type {{ name: string, proof: string, room: string } | undefined} */
let here;
/** @type {{ close(): void } | undefined} */
let listening;

signIn.addEventListener("submit", (event) => {
  event.preventDefault();
  const given = new FormData(signIn, event.submitter);
  const [name = "", password = "", place = "", action = ""] = ["name", "password", "room", "action"].map(
    (field) => textOf(given, field),
  );
  void attempt(async () => {
    const salt = (await ask("Auth", "Salt", name)).body;
    const proof = await prove(password, salt);
    await ask("Auth", action, JSON.stringify({ name, proof }));
    here = { name, proof, room: place };
    await enter(here.room);
  });
});

say.addEventListener("submit", (event) => {
  event.preventDefault();
  const text = textOf(new FormData(say), "text");
  void attempt(async () => {
    const echo = /^\/echo (.*)/s.exec(text)?.[1];
    if (echo === undefined) await ask("Chat", "Say", text, { room: here?.room ?? "" });
    else add({ from: "Echo", text: (await hub.request("Echo", echo)).body });
    say.reset();
  });
});

/** A connection that is new has no name yet. */
async function again() {
  if (here === undefined) return;
  const { name, proof } = here;
  await attempt(() => ask("Auth", "Verify", JSON.stringify({ name, proof })));
}

/** @param {string} selector */
function find(selector) {
  const found = document.querySelector(selector);
  if (!(found instanceof HTMLElement)) throw new Error(`the page has no ${selector}`);
  return found;
}

/** @param {string} name */
async function enter(name) {
  const { target, lines: said } = /** @type {any} */ ((await ask("Chat", "Join", name)).json());
  listening?.close();
  listening = hub.subscribe(target, (message) => add(/** @type {any} */ (message.json())));
  lines.replaceChildren();
  for (const line of said) add(line);
  find("#title").textContent = name;
  signIn.hidden = true;
  room.hidden = false;
  /** @type {HTMLInputElement} */ (find("#say input")).focus();
}

/**
 * @param {string} service
 * @param {string} cmd
 * @param {string} [body]
 * @param {Record<string, string>} [headers]
 */
function ask(service, cmd, body, headers = {}) {
  return hub.request(service, body, { headers: { cmd, ...headers }, timeout: "5s" });
}

/**
 * What shows that somebody knows the password, without the password.
 * @param {string} password
 * @param {string} salt
 */
async function prove(password, salt) {
  const bytes = new TextEncoder();
  const secret = await crypto.subtle.importKey("raw", bytes.encode(password), "PBKDF2", false, [
    "deriveBits",
  ]);
  const how = { name: "PBKDF2", hash: "SHA-256", salt: bytes.encode(salt), iterations: ITERATIONS };
  const proof = new Uint8Array(await crypto.subtle.deriveBits(how, secret, 256));
  return Array.from(proof, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** @param {{ from: string, text: string }} line */
function add({ from, text }) {
  const item = document.createElement("li");
  const who = document.createElement("span");
  who.className = "from";
  who.textContent = from;
  item.className = from === here?.name ? "own" : "";
  item.append(who, text);
  lines.append(item);
  item.scrollIntoView({ block: "end" });
}

/**
 * @param {FormData} given
 * @param {string} field
 */
function textOf(given, field) {
  const value = given.get(field);
  return typeof value === "string" ? value : "";
}

/** @param {() => Promise<unknown>} action */
async function attempt(action) {
  error.textContent = "";
  try {
    await action();
  } catch (problem) {
    show(problem);
  }
}

/**
 * @param {unknown} problem
 * @param {string} [where]
 */
function show(problem, where) {
  const text = problem instanceof Error ? problem.message : String(problem);
  error.textContent = where === undefined ? text : `${where}: ${text}`;
}
