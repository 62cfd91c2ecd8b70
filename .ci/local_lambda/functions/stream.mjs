// A function that streams, without any library: the Runtime API on Node's http.
import { existsSync } from "node:fs";
import http from "node:http";
import { setTimeout as sleep } from "node:timers/promises";

const [host, port] = process.env.AWS_LAMBDA_RUNTIME_API.split(":");
const agent = new http.Agent({ keepAlive: true });
const BASE = "/2018-06-01/runtime/invocation";

function request(method, path, headers = {}) {
  return http.request({ agent, host, port, method, path: BASE + path, headers });
}

async function reply(request) {
  const response = await new Promise((resolve, reject) => request.on("response", resolve).on("error", reject));
  let body = "";
  for await (const piece of response.setEncoding("utf8")) body += piece;
  return { headers: response.headers, body };
}

for (;;) {
  const next = request("GET", "/next");
  next.end();
  const { headers, body } = await reply(next);
  const event = JSON.parse(body);
  const isUrl = event.rawPath !== undefined;
  const options = isUrl ? (event.queryStringParameters ?? {}) : event;
  const response = request("POST", `/${headers["lambda-runtime-aws-request-id"]}/response`, {
    "Lambda-Runtime-Function-Response-Mode": "streaming",
    "Transfer-Encoding": "chunked",
    Trailer: "Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body",
    "Content-Type": isUrl ? "application/vnd.awslambda.http-integration-response" : "text/plain",
  });
  const replied = reply(response);
  if (isUrl) {
    const prelude = { statusCode: 202, headers: { "content-type": "text/event-stream" }, cookies: ["a=1"] };
    response.write(JSON.stringify(prelude) + "\0".repeat(8));
  }
  response.write("first\n");
  while (options.until && !existsSync(options.until)) await sleep(1);
  response.write("second\n");
  if (options.abort) {
    const error = { errorType: "Midway", errorMessage: options.abort, stackTrace: [] };
    response.addTrailers({
      "Lambda-Runtime-Function-Error-Type": "Function.Midway",
      "Lambda-Runtime-Function-Error-Body": Buffer.from(JSON.stringify(error)).toString("base64"),
    });
  }
  response.end();
  await replied;
}
