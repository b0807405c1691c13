/** What the notes of examples/web-apps/notes-app.js do, wherever they are. */
import assert from "node:assert/strict";
import request from "supertest";
import type { Case } from "./shop-suite.ts";

export const NOTES: Readonly<Record<string, Case>> = {
  "JSON, and the headers of a middleware": async (url) => {
    const { body } = await request(url).get("").expect(200).expect("x-content-type-options", "nosniff");
    assert.equal(body[0], "buy tea");
  },
  "201 with Location, 422, 204, 404": async (url) => {
    const made = await request(url).post("/notes").send({ text: "read" }).expect(201);
    assert.match(made.headers["location"]!, /^\/notes\/\d+$/);
    await request(url).post("/notes").send({ none: 1 }).expect(422, "a note has a text");
    await request(url)
      .post("/notes")
      .send({ text: "x".repeat(200_000) })
      .expect(413);
    await request(url).delete("/notes/1").expect(204);
    await request(url).get("/nothing").expect(404, { error: "no such note" });
  },
  "a form sets a signed cookie, and one more, and redirects": async (url) => {
    const agent = request.agent(url);
    await agent.get("/me").expect(401);
    const login = await agent.post("/login").type("form").send({ name: "Ada" }).expect(303);
    assert.equal(login.headers["location"], "me");
    assert.equal((login.headers["set-cookie"] as unknown as string[]).length, 2);
    await agent.get("/me").expect(200, { name: "Ada" });
    await request(url).get("/me").set("cookie", "name=Ada.forged").expect(401);
  },
  "a form with a file": async (url) => {
    await request(url)
      .post("/upload")
      .field("title", "Bird")
      .attach("file", Buffer.alloc(2_000_000, 7), { filename: "bird.png", contentType: "image/png" })
      .expect(200, { title: "Bird", name: "bird.png", type: "image/png", size: 2_000_000 });
  },
  "compression, ETag and HEAD": async (url) => {
    const packed = await fetch(`${url}/all.txt`, { headers: { "accept-encoding": "gzip" } });
    assert.equal(packed.headers.get("content-encoding"), "gzip");
    assert.equal((await packed.text()).length, 35_000);
    const { headers } = await request(url).get("/etag").expect(200, "the same each time");
    await request(url).get("/etag").set("if-none-match", headers["etag"]!).expect(304);
    await request(url).head("/etag").expect(200);
  },
  "bytes out as bytes come in": async (url) => {
    let send: (text: string | undefined) => void = () => undefined;
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        send = (text) => {
          if (text === undefined) controller.close();
          else controller.enqueue(Buffer.from(text));
        };
      },
    });
    send("one ");
    // The head comes while the body is still being sent; both go on together.
    const response = await fetch(`${url}/upper`, { method: "POST", body, duplex: "half" });
    const reader = response.body!.getReader();
    const read = async (): Promise<string> => Buffer.from((await reader.read()).value ?? []).toString();
    assert.equal(await read(), "ONE ");
    send("two");
    assert.equal(await read(), "TWO");
    send(undefined);
    assert.equal((await reader.read()).done, true);
  },
  "events come as they are made": async (url) => {
    const response = await fetch(`${url}/events?count=2`);
    assert.match(response.headers.get("content-type")!, /^text\/event-stream/);
    assert.equal(await response.text(), "event: tick\ndata: 1\nid: 1\n\nevent: tick\ndata: 2\nid: 2\n\n");
  },
  "an error of the app's": async (url) => {
    await request(url).get("/broken").expect(500, { error: "something went wrong" });
  },
};
