import assert from "node:assert/strict";
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { describe, test } from "node:test";
import { root } from "./root.ts";

/** Markdown files of the repository: those at the top, and all under docs, spec, examples and bench. */
function markdownFiles(): string[] {
  const top = readdirSync(root).filter((name) => name.endsWith(".md"));
  const deep = ["docs", "spec", "examples", "bench"]
    .filter((folder) => existsSync(join(root, folder)))
    .flatMap((folder) =>
      readdirSync(join(root, folder), { recursive: true, encoding: "utf8" }).map((path) =>
        join(folder, path),
      ),
    );
  return [...top, ...deep.filter((path) => path.endsWith(".md"))];
}

/** Targets of `[text](target)`, `![alt](target)` and `[name]: target`, outside code. */
function links(markdown: string): string[] {
  const prose = markdown.replaceAll(/^ *(```+|~~~+)[^]*?^ *\1/gm, "").replaceAll(/(`+)[^`].*?\1/g, "code");
  const inline = [...prose.matchAll(/\]\(<?([^)<>\s]+)>?(?:\s+"[^"]*")?\)/g)];
  const named = [...prose.matchAll(/^ {0,3}\[[^\]]+\]:\s*<?([^\s<>]+)>?/gm)];
  return [...inline, ...named].map((match) => match[1] ?? "");
}

function isBroken(file: string, target: string): boolean {
  if (/^[a-z][a-z0-9+.-]*:|^#|^\/\//i.test(target)) return false;
  const path = decodeURIComponent(target.replace(/[?#].*$/, ""));
  return path.startsWith("/") || !existsSync(resolve(root, dirname(file), path));
}

describe("links", () => {
  test("are found in all their forms, and only outside code", () => {
    const text = [
      '[a](a.md) ![b](b.png) [c](c.md#part) [d](<d.md>) [e](e.md "title")',
      "`[no](no.md)` and ``[no](no.md)``",
      "```sh\n[no](no.md)\n```",
      "[f]: f.md",
    ].join("\n");
    assert.deepEqual(links(text), ["a.md", "b.png", "c.md#part", "d.md", "e.md", "f.md"]);
  });

  test("to what does not exist are broken", () => {
    assert.equal(isBroken("README.md", "no-such-file.md"), true);
    assert.equal(isBroken("README.md", "/LICENSE"), true);
    assert.equal(isBroken("README.md", "LICENSE#mit"), false);
    assert.equal(isBroken("docs/x.md", "../LICENSE"), false);
    assert.equal(isBroken("README.md", "https://example.com/x"), false);
  });

  test("in every document lead somewhere", () => {
    const files = markdownFiles();
    assert.ok(files.includes("CONTRIBUTING.md"));
    const broken = files.flatMap((file) =>
      links(readFileSync(join(root, file), "utf8"))
        .filter((target) => isBroken(file, target))
        .map((target) => `${file}: ${target}`),
    );
    assert.deepEqual(broken, []);
  });
});
