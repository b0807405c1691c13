// @ts-check
// An Express app as any other, with the middleware such apps have. Nothing in it knows of Lintel, and it opens no port:
//
//   npx lintel serve --config examples/web-apps/lintel.yaml
//   npx lintel work-app examples/web-apps/shop-app.js --subject shop
//   curl -i http://127.0.0.1:8500/shop/items
import { createHash } from "node:crypto";
import { fileURLToPath } from "node:url";
import compression from "compression";
import cookieParser from "cookie-parser";
import express from "express";
import session from "express-session";
import multer from "multer";

/** @type {Map<string, { id: string, name: string, cents: number }>} */
const items = new Map([
  ["tea", { id: "tea", name: "Tea", cents: 450 }],
  ["milk", { id: "milk", name: "Milk", cents: 120 }],
]);

const app = express();
app.use(compression({ threshold: 512 }));
app.use(cookieParser());
app.use(session({ name: "cart", secret: "not a secret", resave: false, saveUninitialized: false }));
app.use(express.json({ limit: "100kb" }));
app.use(express.urlencoded({ extended: true }));
app.use("/page", express.static(fileURLToPath(new URL("../page", import.meta.url))));

app.get("/items", (_request, response) => {
  response.json([...items.values()]);
});

app.get("/items.csv", (_request, response) => {
  response.type("text/csv");
  for (let row = 0; row < 5_000; row++) response.write(`${row},item ${row},${row * 10}\n`);
  response.end();
});

app
  .route("/items/:id")
  .get((request, response) => {
    const item = items.get(request.params.id);
    if (item === undefined) response.status(404).json({ error: `no ${request.params.id} here` });
    else response.json(item);
  })
  .put((request, response) => {
    const { id } = request.params;
    const { name, cents } = request.body;
    items.set(id, { id, name, cents });
    response.status(201).location(`${request.baseUrl}/items/${id}`).json(items.get(id));
  })
  .delete((request, response) => {
    items.delete(request.params.id);
    response.status(204).end();
  });

app.post("/cart", (request, response) => {
  const cart = /** @type {{ cart?: string[] }} */ (request.session);
  cart.cart = [...(cart.cart ?? []), String(request.body.item)];
  response.json({ cart: cart.cart });
});

app.get("/cart", (request, response) => {
  response.json({ cart: /** @type {{ cart?: string[] }} */ (request.session).cart ?? [] });
});

app.post("/login", (request, response) => {
  response.cookie("name", request.body.name, { httpOnly: true });
  response.cookie("theme", "dark", { maxAge: 3_600_000 });
  response.redirect(303, `${request.baseUrl}/account`);
});

app.get("/account", (request, response) => {
  response.json({ ...request.cookies, cart: undefined });
});

app.post("/pictures", multer({ limits: { fileSize: 8_000_000 } }).single("picture"), (request, response) => {
  const { originalname, mimetype, size, buffer } = /** @type {Express.Multer.File} */ (request.file);
  const sha256 = createHash("sha256").update(buffer).digest("hex");
  response.json({ title: request.body.title, originalname, mimetype, size, sha256 });
});

app.post("/count", (request, response) => {
  let bytes = 0;
  request.on("data", (chunk) => (bytes += chunk.length));
  request.on("end", () => response.json({ bytes }));
});

app.get("/events", (request, response) => {
  response.set({ "content-type": "text/event-stream", "cache-control": "no-store" }).flushHeaders();
  let count = 0;
  const timer = setInterval(() => {
    response.write(`data: ${++count}\n\n`);
    response.flush();
    if (count === Number(request.query["count"])) response.end();
  }, 20);
  response.on("close", () => clearInterval(timer));
});

app.get("/whoami", ({ ip, protocol, hostname, method, baseUrl, originalUrl }, response) => {
  response.json({ ip, protocol, hostname, method, baseUrl, originalUrl });
});

app.get("/broken", () => {
  throw new Error("the till is stuck");
});

app.use((_request, response) => {
  response.status(404).type("text").send("nothing on this shelf");
});

/** @type {express.ErrorRequestHandler} */
const onError = (error, _request, response, _next) => {
  response.status(error.status ?? 500).json({ error: error.message });
};
app.use(onError);

export default app;
