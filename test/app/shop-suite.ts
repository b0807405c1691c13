/** What the shop of examples/web-apps/shop-app.js does, wherever it is: the tests its author would write, with supertest. */
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import request from "supertest";

/** `url` is where the shop is, `base` what of that is a path. */
export type Case = (url: string, base: string) => Promise<unknown>;

const PICTURE = randomBytes(3_000_000);

export const SHOP: Readonly<Record<string, Case>> = {
  "JSON, with an ETag that is good for a 304": async (url) => {
    const { body, headers } = await request(url).get("/items").expect(200).expect("content-type", /json/);
    assert.equal(body[0].name, "Tea");
    const again = await request(url).get("/items").set("if-none-match", headers["etag"]!).expect(304);
    assert.equal(again.text, "");
  },
  "a resource's life: 201 with Location, 200, 204, 404": async (url, base) => {
    const item = { name: "Jam", cents: 300 };
    await request(url).put("/items/jam").send(item).expect(201).expect("location", `${base}/items/jam`);
    await request(url)
      .get("/items/jam")
      .expect(200, { id: "jam", ...item });
    const gone = await request(url).delete("/items/jam").expect(204);
    assert.equal(gone.headers["content-length"], undefined);
    await request(url).get("/items/jam").expect(404, { error: "no jam here" });
  },
  "HEAD says what GET would": async (url) => {
    const got = await request(url).get("/items/tea").set("accept-encoding", "identity").expect(200);
    const head = await request(url).head("/items/tea").set("accept-encoding", "identity").expect(200);
    assert.equal(head.headers["content-length"], got.headers["content-length"]);
    assert.equal(head.headers["etag"], got.headers["etag"]);
    assert.equal(head.text, undefined);
  },
  "OPTIONS is the app's": async (url) => {
    await request(url).options("/items/tea").expect(404, "nothing on this shelf");
  },
  "a session keeps a cart": async (url) => {
    const agent = request.agent(url);
    await agent.get("/cart").expect(200, { cart: [] });
    await agent.post("/cart").send({ item: "tea" }).expect(200);
    await agent
      .post("/cart")
      .send({ item: "milk" })
      .expect(200, { cart: ["tea", "milk"] });
    await agent.get("/cart").expect(200, { cart: ["tea", "milk"] });
    await request(url).get("/cart").expect(200, { cart: [] });
  },
  "a form sets two cookies and redirects": async (url, base) => {
    const agent = request.agent(url);
    const login = await agent.post("/login").type("form").send({ name: "Ada & Co" }).expect(303);
    assert.equal(login.headers["location"], `${base}/account`);
    assert.equal((login.headers["set-cookie"] as unknown as string[]).length, 2);
    await agent.get("/account").expect(200, { name: "Ada & Co", theme: "dark" });
  },
  "a form with a file of three megabytes": async (url) => {
    await request(url)
      .post("/pictures")
      .field("title", "Bird")
      .attach("picture", PICTURE, { filename: "bird.png", contentType: "image/png" })
      .expect(200, {
        title: "Bird",
        originalname: "bird.png",
        mimetype: "image/png",
        size: PICTURE.length,
        sha256: createHash("sha256").update(PICTURE).digest("hex"),
      });
  },
  "a body without a length": async (url) => {
    async function* pieces(): AsyncGenerator<Uint8Array> {
      for (let count = 0; count < 20; count++) yield PICTURE.subarray(0, 50_000);
    }
    const options = { method: "POST", body: ReadableStream.from(pieces()), duplex: "half" } as const;
    const response = await fetch(`${url}/count`, options);
    assert.deepEqual(await response.json(), { bytes: 1_000_000 });
  },
  "compression, and none for who does not like it": async (url) => {
    const small = await fetch(`${url}/items.csv`, { headers: { "accept-encoding": "gzip" } });
    assert.equal(small.headers.get("content-encoding"), "gzip");
    assert.equal(small.headers.get("vary"), "Accept-Encoding");
    const plain = await fetch(`${url}/items.csv`, { headers: { "accept-encoding": "identity" } });
    assert.equal(plain.headers.get("content-encoding"), null);
    const text = await plain.text();
    assert.equal(await small.text(), text);
    assert.equal(text.split("\n").length, 5_001);
  },
  "events come as they are made": async (url) => {
    const response = await fetch(`${url}/events?count=3`);
    assert.equal(response.headers.get("content-type"), "text/event-stream; charset=utf-8");
    assert.equal(await response.text(), "data: 1\n\ndata: 2\n\ndata: 3\n\n");
  },
  "files: whole, a part, and a directory's redirect": async (url, base) => {
    const whole = await request(url)
      .get("/page/index.html")
      .buffer(true)
      .expect(200)
      .expect("content-type", /html/);
    await request(url).get("/page/index.html").set("range", "bytes=0-8").expect(206, whole.text.slice(0, 9));
    await request(url).get("/page").expect(301).expect("location", `${base}/page/`);
    await request(url).get("/page/none.html").expect(404);
  },
  "what the app says of mistakes is what the caller gets": async (url) => {
    await request(url).get("/nothing").expect(404, "nothing on this shelf");
    await request(url).get("/broken").expect(500, { error: "the till is stuck" });
    await request(url)
      .post("/cart")
      .set("content-type", "application/json")
      .send('{"item":')
      .expect(400)
      .expect(/JSON/);
    await request(url)
      .post("/cart")
      .send({ item: "x".repeat(150_000) })
      .expect(413);
  },
};
