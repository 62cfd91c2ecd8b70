// The handlers of CONTRACT.md, for aws-lambda-ric: npx aws-lambda-ric index.handler, or index.streaming, because a handler
// of this runtime streams all of its responses or none.

import { setTimeout as sleep } from "node:timers/promises";

class OutOfStock extends Error {
  name = "OutOfStock";
}

function fail() {
  throw new OutOfStock("no apples left");
}

if (process.env.CONFORMANCE_INIT === "error") fail();

export async function handler(event, context) {
  await sleep(event?.after_ms ?? 0);
  switch (event?.do) {
    case undefined:
      return event;
    case "context":
      return describe(context);
    case "large":
      return "x".repeat(event.bytes);
    case "error":
      return fail();
    case "panic":
      throw new RangeError("asked to panic");
    case "exit":
      return process.exit(event.code);
    default:
      throw new Error(`unknown operation: ${event.do}`);
  }
}

function describe({ awsRequestId, invokedFunctionArn, tenantId, clientContext, identity, getRemainingTimeInMillis }) {
  return {
    request_id: awsRequestId,
    invoked_function_arn: invokedFunctionArn,
    tenant_id: tenantId,
    xray_trace_id: process.env._X_AMZN_TRACE_ID,
    deadline: Date.now() + getRemainingTimeInMillis(),
    client_context: clientContext,
    identity: identity && {
      identityId: identity.cognitoIdentityId,
      identityPoolId: identity.cognitoIdentityPoolId,
    },
  };
}

export const streaming = awslambda.streamifyResponse(async (event, stream, context) => {
  if (event?.do !== "stream") {
    stream.setContentType("application/json");
    stream.end(JSON.stringify(await handler(event, context)));
    return;
  }
  await sleep(event.after_ms ?? 0);
  const http = awslambda.HttpResponseStream.from(stream, { statusCode: 200 });
  const { chunks = 0, bytes = 1, empty = 0, every_ms = 0 } = event;
  const write = (text) => http.write(text) || new Promise((drained) => http.once("drain", drained));
  for (let n = 0; n < empty; n++) await write("");
  for (let n = 0; n < chunks; n++) {
    await sleep(every_ms);
    await write(String.fromCharCode(97 + (n % 26)).repeat(bytes));
  }
  if (event.then === "error") throw new Error("the source ran dry");
  if (event.then === "panic") throw new RangeError("asked to panic midway");
  if (event.then === "nothing") await new Promise(() => setInterval(() => {}, 60_000));
  http.end();
});
