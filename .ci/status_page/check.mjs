// The status page in a browser: node check.mjs EMULATOR FUNCTION FOLDER
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { chromium } from "playwright-core";

const [emulator, fn, folder] = process.argv.slice(2);
const scratch = mkdtempSync(join(tmpdir(), "status-page-"));
const served = spawn(emulator, ["--port", "0", "--fault", "next 4: dribble 100 every 1ms", "--", fn], {
  stdio: ["ignore", "ignore", "pipe"],
});
let browser;
try {
  const url = await new Promise((resolve, reject) => {
    const lines = createInterface({ input: served.stderr });
    lines.on("line", (line) => {
      const found = line.match(/status page: (\S+)/);
      if (found) resolve(found[1]);
    });
    served.on("exit", (code) => reject(new Error(`the emulator ended with ${code}`)));
  });
  browser = await chromium.launch({
    executablePath: "/usr/bin/chromium",
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  });
  const page = await browser.newPage({ viewport: { width: 1500, height: 900 } });
  const complaints = [];
  page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
  page.on("pageerror", (error) => complaints.push(String(error)));
  const text = (selector, wanted) => page.locator(selector, { hasText: wanted }).first().waitFor();
  const send = async (event) => {
    await page.fill("#event", JSON.stringify(event));
    await page.click("#send button");
  };

  await page.goto(url);
  await text("#connection", "connected");

  await page.selectOption("#template", "sqs");
  assert.equal(JSON.parse(await page.inputValue("#event")).Records.length, 2);

  // The first chunk is shown before the function writes the second.
  const until = join(scratch, "until");
  await send({ stream: ["one", "two"], until });
  await text("#chunks li", "one");
  await text("#invocations tr", "running");
  assert.equal(await page.locator("#chunks li").count(), 1);
  assert.ok(!existsSync(until));
  writeFileSync(until, "");
  await text("#chunks li", "two");
  await text("#outcome", "complete");
  await text("#invocations tr", "complete");

  await send({ stream: ["part"], abort: "it broke" });
  await text("#outcome", "Function.Midway");
  await text("#chunks li", "it broke");
  await text("#invocations tr", "failed");

  // A request by URL appears without a reload.
  const reply = await page.evaluate(async () => (await fetch("/a/path?b=c")).text());
  assert.equal(JSON.parse(reply).rawPath, "/a/path");
  await text("#invocations tr", "GET /a/path");

  await send({ log: "a line of the log" });
  await text("#outcome", "complete");
  await page.locator("#invocations tr").first().click();
  await text("#detail-log", "a line of the log");
  await text("#detail-log", "REPORT RequestId: ");
  await text("#facts", "next 4: dribble");
  await text("#detail-event", '"log": "a line of the log"');
  await text("#detail-response", "null");

  // The page shows responses as text, not as HTML.
  await send({ markup: "<img src=x onerror=alert(1)>" });
  await text("#chunks li", "<img");
  assert.equal(await page.locator("#chunks img").count(), 0);

  await page.fill("#event", "{");
  await page.click("#send button");
  await text("#outcome", "InvalidRequestContentException");
  // The refused call is the only error in the console.
  assert.deepEqual(complaints.filter((complaint) => !complaint.includes("400 (Bad Request)")), []);

  await send({ stream: ["data: 1\n", "data: 2\n"] });
  await text("#outcome", "complete");
  await page.locator("#invocations tr").first().click();
  await page.screenshot({ path: join(folder, "status-page.png") });

  // A function in the browser: the URL itself.
  const visitor = await browser.newPage();
  const visited = await visitor.goto(new URL("/hello", url).href);
  assert.equal(visited.status(), 200);
  assert.equal(JSON.parse(await visited.text()).rawPath, "/hello");

  served.kill("SIGINT");
  await text("#connection", "disconnected");
  console.log("ok   the status page in Chromium");
} finally {
  await browser?.close();
  served.kill("SIGKILL");
  rmSync(scratch, { recursive: true, force: true });
}
