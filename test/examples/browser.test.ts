/** The page that serves, in a browser, as its program says to try it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Running } from "../cli/cli-process.ts";
import { launchChromium } from "../client/pages.ts";
import { root } from "../house/root.ts";

test("examples/browser.js: a request changes the tab, and so does a publication", async () => {
  await using running = new Running(process.execPath, ["examples/browser.js", "0"], { cwd: root });
  const [, pageUrl = ""] = await running.prints(/^Open (\S+) in a browser/m);
  const [, hubUrl = ""] = await running.prints(/^ {2}npx lintel publish .* --hub (\S+)$/m);
  const [, httpUrl = ""] = await running.prints(/^ {2}curl -d '\{"color":"teal"\}' (\S+)$/m);
  const browser = await launchChromium();
  try {
    const page = await browser.newPage();
    await page.goto(pageUrl);
    const paint = (color: string): Promise<Response> =>
      fetch(httpUrl, {
        method: "POST",
        headers: { "content-type": "application/x-www-form-urlencoded" },
        body: JSON.stringify({ color }),
      });
    await page.waitForFunction("document.title === 'Serving paint'");
    assert.equal(await page.textContent("#state"), "connected");
    const answer = await paint("teal");
    assert.deepEqual([answer.status, await answer.text()], [200, '{"painted":"teal"}']);
    assert.equal(await page.evaluate("document.body.style.backgroundColor"), "teal");
    assert.equal((await paint("no colour")).status, 400);
    const publish = ["dist/cli/main.js", "publish", "words.first", "hello tab", "--hub", hubUrl];
    assert.equal((await new Running(process.execPath, publish, { cwd: root }).ended).exit, 0);
    await page.waitForFunction("document.querySelector('#word').textContent === 'hello tab'");
  } finally {
    await browser.close();
  }
  const { exit, stderr } = await running.stop("SIGINT");
  assert.deepEqual([exit, stderr], [0, ""]);
});
