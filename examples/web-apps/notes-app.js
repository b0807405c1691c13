// @ts-check
// A Hono app as any other. Nothing in it knows of Lintel, and it opens no port:
//
//   npx lintel serve --config examples/web-apps/lintel.yaml
//   npx lintel work-app examples/web-apps/notes-app.js --subject notes
//   curl -i http://127.0.0.1:8500/notes
import { Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import { compress } from "hono/compress";
import { getSignedCookie, setCookie, setSignedCookie } from "hono/cookie";
import { etag } from "hono/etag";
import { HTTPException } from "hono/http-exception";
import { secureHeaders } from "hono/secure-headers";
import { streamSSE, streamText } from "hono/streaming";

const SECRET = "not a secret";
/** @type {string[]} */
const notes = ["buy tea"];

const app = new Hono();
app.use(secureHeaders());
app.use("/all.txt", compress());
app.use("/etag", etag());
app.use("/notes", bodyLimit({ maxSize: 100_000 }));

app.get("/", (context) => context.json(notes));
app.get("/etag", (context) => context.text("the same each time"));
app.get("/all.txt", (context) => context.text("a note\n".repeat(5_000)));

app.post("/notes", async (context) => {
  const { text } = await context.req.json();
  if (typeof text !== "string") throw new HTTPException(422, { message: "a note has a text" });
  notes.push(text);
  context.header("Location", `/notes/${notes.length - 1}`);
  return context.json({ id: notes.length - 1, text }, 201);
});

app.delete("/notes/:id", (context) => context.body(null, 204));

app.post("/login", async (context) => {
  const { name } = await context.req.parseBody();
  if (typeof name !== "string") return context.json({ error: "a form with a name, please" }, 400);
  await setSignedCookie(context, "name", name, SECRET, { httpOnly: true });
  setCookie(context, "theme", "dark");
  return context.redirect("me", 303);
});

app.get("/me", async (context) => {
  const name = await getSignedCookie(context, SECRET, "name");
  return name ? context.json({ name }) : context.json({ error: "who are you?" }, 401);
});

app.post("/upload", async (context) => {
  const { file, title } = await context.req.parseBody();
  if (!(file instanceof File)) return context.json({ error: "no file" }, 400);
  return context.json({ title, name: file.name, type: file.type, size: file.size });
});

app.post("/upper", (context) =>
  streamText(context, async (stream) => {
    const decoder = new TextDecoder();
    for await (const chunk of context.req.raw.body ?? [])
      await stream.write(decoder.decode(chunk, { stream: true }).toUpperCase());
  }),
);

app.get("/events", (context) =>
  streamSSE(context, async (stream) => {
    const count = Number(context.req.query("count"));
    for (let id = 1; id <= count; id++) {
      await stream.writeSSE({ id: String(id), event: "tick", data: String(id) });
      await stream.sleep(20);
    }
  }),
);

app.get("/broken", () => {
  throw new Error("the pencil is blunt");
});

app.notFound((context) => context.json({ error: "no such note" }, 404));
app.onError((error, context) =>
  error instanceof HTTPException ? error.getResponse() : context.json({ error: "something went wrong" }, 500),
);

export default app;
