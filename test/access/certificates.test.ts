/** Who it is by its client certificate, and by its process at the other end of a unix socket. */
import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import type { AccessOptions, CertificateRule } from "../../src/access/access-options.ts";
import { attributesOf, matchSan, matchSubject } from "../../src/access/certificate-name.ts";
import { createAccess } from "../../src/access/create-access.ts";
import { sha256Of } from "../../src/access/keys/key.ts";
import { connect, createHub } from "../../src/index.ts";
import type { PeerCertificate } from "../../src/message/peer-identity.ts";
import { canPassDescriptors } from "../../src/transport/descriptors/libc.ts";
import { namesOf } from "../../src/transport/peer-certificate.ts";
import type { TlsOptions } from "../../src/transport/transport.ts";
import { AUTHORITY, pair } from "../transport/certificates.ts";
import { OriginalPeer } from "../gateway/beam/original-peer.ts";
import { RawCall, said } from "../gateway/grpc/raw-call.ts";
import { until } from "../house/until.ts";

const folder = mkdtempSync(join(tmpdir(), "lintel-certificates-"));
after(() => rmSync(folder, { recursive: true }));

const server: TlsOptions = { ...pair("server"), ca: AUTHORITY };

function clientOf(name: "client" | "worker" | "hostile" | "strange-client"): TlsOptions {
  return { ...pair(name), ca: AUTHORITY };
}

/** What the hub would know of it. */
function certificateOf(name: "client" | "worker" | "hostile"): PeerCertificate {
  const { subject, subjectAltName, issuer, fingerprint256, validTo, raw } = new X509Certificate(
    pair(name).cert,
  );
  return {
    subject: subject.split("\n").join(","),
    commonName: undefined,
    names: namesOf(subjectAltName ?? ""),
    issuer,
    fingerprint256,
    expiresAt: Date.parse(validTo),
    raw,
  };
}

const worker = certificateOf("worker");
const hostile = certificateOf("hostile");

test("each name of a certificate is one, whatever is in it", () => {
  assert.deepEqual(worker.names, [
    "DNS:worker-7.shop.example",
    "URI:spiffe://shop.example/worker/7",
    "email:worker-7@shop.example",
    "IP Address:10.0.0.7",
  ]);
  assert.deepEqual(hostile.names, [
    "DNS:hostile.example, DNS:worker-7.shop.example",
    "URI:http://hostile.example/, DNS:worker-7.shop.example",
    "URI:worker-7.shop.example",
    "email:worker-7.shop.example",
    "othername:UPN:hostile, DNS:worker-7.shop.example",
    String.raw`DirName:CN=hostile\, DNS:worker-7.shop.example`,
  ]);
  assert.deepEqual(namesOf(""), []);
});

test("names that cannot be told apart are none", () => {
  for (const text of [
    "DNS:a, DNS",
    "DNS:a,DNS:b",
    'DNS:"a',
    'DNS:"a" b, DNS:c',
    'DNS:a"b, DNS:c',
    "DNS:a, , DNS:b",
    "DNS:a\\, DNS:b",
  ])
    assert.deepEqual(namesOf(text), [], text);
});

test("an alternative name fits names of its kind, and a * within one label", () => {
  const fits: Record<string, string> = {
    "worker-7.shop.example": "worker-7.shop.example",
    "WORKER-*.shop.EXAMPLE": "worker-7.shop.example",
    "*.shop.example": "worker-7.shop.example",
    "worker-*.*.example": "worker-7.shop.example",
    "DNS:worker-7.shop.example": "worker-7.shop.example",
    "spiffe://shop.example/worker/7": "spiffe://shop.example/worker/7",
    "spiffe://shop.example/*/*": "spiffe://shop.example/worker/7",
    "URI:spiffe://*.example/worker/7": "spiffe://shop.example/worker/7",
    "worker-*@shop.example": "worker-7@shop.example",
    "10.0.0.7": "10.0.0.7",
    "IP:10.0.0.7": "10.0.0.7",
  };
  for (const [text, name] of Object.entries(fits)) assert.equal(matchSan(text)(worker), name, text);
  for (const text of [
    "*",
    "*.example",
    "worker-7*.shop.example",
    "worker-7.shop.example.org",
    "orker-7.shop.example",
    "worker-7-shop.example",
    "spiffe://shop.example/*",
    "spiffe://shop.example/WORKER/7",
    "URI:worker-7.shop.example",
    "email:worker-7.shop.example",
    "DNS:10.0.0.7",
    "10.0.0.8",
    "worker",
  ])
    assert.equal(matchSan(text)(worker), undefined, text);
});

test("names that pretend to be several fit none of them", () => {
  for (const text of ["worker-7.shop.example", "*.shop.example", "hostile.example", "10.0.0.7"])
    assert.equal(matchSan(text)(hostile), undefined, text);
  assert.equal(matchSan("::1")({ ...worker, names: ["IP Address:0:0:0:0:0:0:0:1"] }), "::1");
  assert.equal(matchSan("a.example")({ ...worker, names: ["DNS:a.example\0.hostile.example"] }), undefined);
  assert.equal(matchSan("*.example")({ ...worker, names: ["DNS:*.example"] }), undefined);
  assert.equal(matchSan("worker.example")({ ...worker, names: ["DNS:wor\u212Aer.example"] }), undefined);
});

test("a subject fits by its attributes, each of which it has once", () => {
  const of = (subject: string): PeerCertificate => ({ ...worker, subject });
  assert.deepEqual(attributesOf(hostile.subject), [
    { type: "CN", value: "hostile,O=Shop" },
    { type: "CN", value: "worker-7" },
    { type: "CN", value: "b" },
    { type: "OU", value: "a" },
  ]);
  assert.equal(matchSubject("worker")(worker), "worker");
  assert.equal(matchSubject("CN=work*")(worker), "worker");
  assert.equal(matchSubject("O=Shop, CN=w-*")(of("CN=w-1,OU=x,O=Shop")), "Shop");
  assert.equal(matchSubject(String.raw`CN=a\, b\+c`)(of(String.raw`CN=a\, b\+c`)), "a, b+c");
  for (const text of ["worker-7", "CN=worker-7", "hostile", "O=Shop", "CN=hostile"])
    assert.equal(matchSubject(text)(hostile), undefined, text);
  assert.equal(matchSubject("OU=a")(hostile), "a");
  for (const subject of ["CN=a.b", "CN=a,O=Other", "CN=a", "", String.raw`CN=a\,O=Shop`])
    assert.equal(matchSubject("CN=*,O=Shop")(of(subject)), undefined, subject);
});

describe("options that are wrong are refused", () => {
  const wrong: readonly (readonly [string, AccessOptions])[] = [
    [".certificates[0] must have either", { certificates: [{ role: "client" }] }],
    [".certificates[0] must have either", { certificates: [{ role: "client", san: "a", subject: "a" }] }],
    [".certificates[0].san must be a name", { certificates: [{ role: "client", san: "a b" }] }],
    [".certificates[0].san must be a name", { certificates: [{ role: "client", san: "" }] }],
    [".certificates[0].san must have a dot", { certificates: [{ role: "client", san: "a*-*.b" }] }],
    [".certificates[0].san must be an address", { certificates: [{ role: "client", san: "IP:10.0.*.1" }] }],
    [".certificates[0].subject must be", { certificates: [{ role: "client", subject: "" }] }],
    [".certificates[0].subject must be", { certificates: [{ role: "client", subject: "=a" }] }],
    [
      '.certificates[0] has no option "cn"',
      { certificates: [{ role: "client", cn: "a" } as CertificateRule] },
    ],
    [".unix[0] must have uid or gid", { unix: [{ role: "client" }] }],
    [".unix[0].uid must be", { unix: [{ role: "client", uid: -1 }] }],
  ];
  for (const [text, options] of wrong)
    test(text, async () => {
      await assert.rejects(createAccess(options), (error: Error) => {
        assert.ok(error.message.startsWith(`createHub: access${text}`), error.message);
        return true;
      });
    });
});

test("the first rule that fits decides, and one certificate is one principal", async () => {
  const access = await createAccess({
    certificates: [
      { subject: "nobody", role: "admin" },
      { san: "worker-*.shop.example", role: "service", tenant: "shop" },
      { san: "spiffe://shop.example/worker/*", role: "observer", name: "second" },
    ],
  });
  const credentials = { gateway: "http", remote: "10.0.0.7", certificate: worker };
  const principal = await access.authenticate(credentials);
  const { id, tenant, role, expiresAt } = principal;
  assert.deepEqual(
    { id, tenant, role, expiresAt },
    { id: "worker-7.shop.example", tenant: "shop", role: "service", expiresAt: worker.expiresAt },
  );
  assert.equal(await access.authenticate({ ...credentials, certificate: { ...worker } }), principal);
  assert.throws(() => access.authenticate({ ...credentials, certificate: hostile }), {
    code: "unauthenticated",
  });
});

const ACCESS: AccessOptions = {
  anonymous: "client",
  keys: [{ name: "key", role: "observer", sha256: sha256Of("key-of-ci") }],
  certificates: [{ san: "worker-*.shop.example", role: "service" }],
};

test("a session is who its certificate says, unless it shows a token", async (context) => {
  for (const scheme of ["tls", "wss", "h2", "http1s"]) {
    const listen = [{ url: `${scheme}://127.0.0.1:0`, tls: server }];
    const hub = await createHub({ http: false, listen, access: ACCESS });
    context.after(() => hub.close());
    const [url] = hub.urls;
    /** What each may tells who it is. */
    const mayServe = async (tls: TlsOptions, token?: string): Promise<boolean | string> => {
      try {
        await using peer = await connect(url!, { tls, ...(token === undefined ? {} : { token }) });
        return await peer
          .serve("a", () => 1)
          .then(
            () => true,
            () => false,
          );
      } catch (error) {
        return (error as { code: string }).code;
      }
    };
    assert.equal(await mayServe(clientOf("worker")), true, scheme);
    assert.equal(await mayServe({ ca: AUTHORITY }), false, "it is anonymous");
    assert.equal(await mayServe(clientOf("hostile")), false, "no rule fits");
    assert.equal(await mayServe(clientOf("strange-client")), false, "it is not good, and counts as none");
    assert.equal(await mayServe(clientOf("worker"), "key-of-ci"), false, "the token decides");
    assert.equal(await mayServe(clientOf("worker"), "guess"), "unauthenticated", "the token decides");
  }
});

test("an HTTP request is whose certificate comes with it", async (context) => {
  const hub = await createHub({
    listen: [],
    http: { port: 0, tls: server },
    access: { ...ACCESS, anonymous: "none" },
  });
  context.after(() => hub.close());
  await hub.serve("a", () => "answer");
  const statusOf = (tls: TlsOptions, token?: string): Promise<number | undefined> =>
    new Promise((resolve, reject) => {
      const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
      const { cert, key, ca } = tls as Record<"cert" | "key" | "ca", string>;
      const options = { method: "POST", cert, key, ca, agent: false, headers };
      request(`${hub.httpUrl!}/a`, options, (response) => {
        response.resume().once("end", () => resolve(response.statusCode));
      })
        .once("error", reject)
        .end();
    });
  assert.equal(await statusOf(clientOf("worker")), 200);
  assert.equal(await statusOf({ ca: AUTHORITY }), 401);
  assert.equal(await statusOf(clientOf("hostile")), 401);
  assert.equal(await statusOf(clientOf("strange-client")), 401);
  assert.equal(await statusOf(clientOf("worker"), "guess"), 401);
  assert.equal(
    await statusOf(clientOf("worker"), "two words"),
    401,
    "what is no token is no token that is good",
  );
  assert.equal(await statusOf(clientOf("worker"), ""), 401);
});

test("a gRPC call is whose certificate comes with it", async (context) => {
  const hub = await createHub({
    listen: [],
    http: false,
    grpc: { port: 0, tls: server },
    access: { ...ACCESS, anonymous: "none" },
  });
  context.after(() => hub.close());
  const outcomeOf = async (tls: TlsOptions, token?: string): Promise<string> => {
    const { cert, key, ca } = tls as Record<"cert" | "key" | "ca", string>;
    const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
    await using call = new RawCall(hub.grpcUrl!, headers, { cert, key, ca }).listen();
    const room = { case: "concurrency", value: 1 } as const;
    call.stream.write(said({ case: "register", value: { registration: 1, subject: "b", room } }));
    let ended: string | undefined;
    void call.ended().then((status) => (ended = status));
    const first = await until(() => call.heard[0] ?? ended, "an answer");
    return typeof first === "string" ? first : (first.message.case ?? "nothing");
  };
  assert.equal(await outcomeOf(clientOf("worker")), "registered");
  assert.equal(await outcomeOf({ ca: AUTHORITY }), "16 UNAUTHENTICATED");
  assert.equal(await outcomeOf(clientOf("hostile")), "16 UNAUTHENTICATED");
  assert.equal(await outcomeOf(clientOf("strange-client")), "16 UNAUTHENTICATED");
  assert.equal(await outcomeOf(clientOf("worker"), "guess"), "16 UNAUTHENTICATED");
  assert.equal(await outcomeOf(clientOf("worker"), "key-of-ci"), "refused", "the token decides");
});

const skip = canPassDescriptors() ? false : "the platform does not tell";
test("a unix peer is who its rule says, and a token goes first", { skip }, async (context) => {
  const url = `unix://${join(folder, "hub.sock")}`;
  const path = join(folder, "beam.sock");
  const uid = process.getuid!();
  const hub = await createHub({
    http: false,
    listen: [url],
    beam: { path },
    access: {
      keys: ACCESS.keys!,
      unix: [
        { uid: uid + 1, role: "admin" },
        { uid, gid: process.getgid!(), role: "client", grants: { request: ["a"] } },
      ],
    },
  });
  context.after(() => hub.close());
  await hub.serve("a", () => "answer");
  await using peer = await connect(url);
  assert.equal(await peer.request("a"), "answer");
  await assert.rejects(
    peer.serve("a", () => 1),
    { code: "permission_denied" },
  );
  await using other = await connect(url, { token: "key-of-ci" });
  await assert.rejects(other.request("a"), { code: "permission_denied" });
  await assert.rejects(connect(url, { token: "guess" }), { code: "unauthenticated" });

  const original = new OriginalPeer();
  context.after(() => original.kill());
  const connection = await original.connect(path);
  const end = await connection.attach("RW", "b");
  assert.equal((await end.hears())?.at(-1), "PERMISSION_DENIED");
});
