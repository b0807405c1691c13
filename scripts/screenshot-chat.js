// @ts-check
/**
 * Takes the picture of docs/guides/chat.md: two people in a room, a light page and a dark one. Needs Chromium, and the chat of
 * examples/chat running (`npx lintel up --config examples/chat/lintel.yaml`).
 *
 *   node scripts/screenshot-chat.js [URL]
 */
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

const url = process.argv[2] ?? "http://127.0.0.1:8080";
const size = { width: 400, height: 540 };
const browser = await chromium.launch({ executablePath: process.env["CHROMIUM"] ?? "/usr/bin/chromium" });

/**
 * @param {string} name
 * @param {"light" | "dark"} colorScheme
 */
async function signIn(name, colorScheme) {
  const context = await browser.newContext({ viewport: size, colorScheme });
  const page = await context.newPage();
  await page.goto(url);
  await page.waitForSelector("#state.connected");
  await page.fill("[name=name]", name);
  await page.fill("[name=password]", `the password of ${name}`);
  await page.click("button[value=Register]");
  await page.waitForSelector("#room:not([hidden])");
  return page;
}

const ada = await signIn("Ada", "light");
const bob = await signIn("Bob", "dark");
/** @type {readonly (readonly [import("playwright-core").Page, string])[]} */
const talk = [
  [ada, "Tea is ready. Who wants some?"],
  [bob, "Me, please! Is there milk?"],
  [ada, "The last of it. I will ask the shop."],
  [bob, "/echo is anybody there"],
];
for (const [page, text] of talk) {
  await page.fill("[name=text]", text);
  await page.press("[name=text]", "Enter");
  const shown = text.replace("/echo ", "");
  for (const one of text.startsWith("/") ? [page] : [ada, bob])
    await one.waitForSelector(`#lines li:has-text("${shown}")`);
}
const [light, dark] = await Promise.all([ada, bob].map((page) => page.screenshot()));
const both = await browser.newPage({ viewport: { width: 2 * size.width + 48, height: size.height + 32 } });
/** @param {Uint8Array | undefined} png */
const source = (png) => `data:image/png;base64,${Buffer.from(png ?? []).toString("base64")}`;
await both.setContent(
  `<style>body { margin: 16px; display: flex; gap: 16px; background: transparent } img { border-radius: 12px }</style>
   <img src="${source(light)}" /><img src="${source(dark)}" />`,
);
const path = fileURLToPath(new URL("../docs/guides/chat.png", import.meta.url));
await both.screenshot({ path, omitBackground: true });
await browser.close();
console.log(path);
