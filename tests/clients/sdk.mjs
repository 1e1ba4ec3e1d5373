// The AWS SDK for JavaScript v3, unmodified, against a running server:
//   node sdk.mjs ENDPOINT LAMBDA_ENDPOINT FOLDER_OF_NODE_MODULES
// Prints a line for each check and a summary; ends with 1 when a check failed.

import { randomUUID } from "node:crypto";
import { createRequire } from "node:module";
import { isDeepStrictEqual } from "node:util";
import { setTimeout as sleep } from "node:timers/promises";

const [endpoint, lambdaEndpoint, modules] = process.argv.slice(2);
const sfn = createRequire(`${modules}/`)("@aws-sdk/client-sfn");
const client = new sfn.SFNClient({ endpoint, region: "us-east-1", maxAttempts: 1 });
const send = (name, request = {}) => client.send(new sfn[`${name}Command`](request));
const roleArn = "arn:aws:iam::123456789012:role/workflows";
const pass = { StartAt: "P", States: { P: { Type: "Pass", End: true } } };
const wait = { StartAt: "W", States: { W: { Type: "Wait", Seconds: 600, End: true } } };
const run = randomUUID().slice(0, 8);
let passed = 0;
let failed = 0;

function check(name, condition, seen) {
  if (condition) {
    passed += 1;
    console.log(`ok      ${name}`);
  } else {
    failed += 1;
    console.log(`FAILED  ${name}:`, seen);
  }
}

async function refused(name, error, operation, request) {
  try {
    check(name, false, await send(operation, request));
  } catch (raised) {
    const named = raised instanceof sfn[error] && raised.name === error;
    check(name, named && raised.message && raised.$metadata.requestId, raised);
  }
}

async function create(name, definition) {
  const request = { name: `${name}-${run}`, definition: JSON.stringify(definition), roleArn };
  return (await send("CreateStateMachine", request)).stateMachineArn;
}

async function ended(executionArn) {
  const until = Date.now() + 30_000;
  for (;;) {
    const found = await send("DescribeExecution", { executionArn });
    if (found.status !== "RUNNING" || Date.now() > until) return found;
    await sleep(50);
  }
}

async function all(paginate, member, request, pageSize) {
  const items = [];
  for await (const page of paginate({ client, pageSize }, request)) items.push(...page[member]);
  return items;
}

// State machines.
const machine = await create("js", pass);
let found = await send("DescribeStateMachine", { stateMachineArn: machine });
check("describe", isDeepStrictEqual(JSON.parse(found.definition), pass) && found.status === "ACTIVE", found);
check("dates", Math.abs(Date.now() - found.creationDate.getTime()) < 600_000, found);
const other = { ...pass, Comment: "second" };
const updated = await send("UpdateStateMachine", { stateMachineArn: machine, definition: JSON.stringify(other) });
found = await send("DescribeStateMachine", { stateMachineArn: machine });
check("update", found.revisionId === updated.revisionId && JSON.parse(found.definition).Comment === "second", found);
let listed = await all(sfn.paginateListStateMachines, "stateMachines", {}, 1);
check("list", listed.filter((one) => one.stateMachineArn === machine).length === 1, listed);

// Executions.
const input = { text: "é😀", number: 0.1, list: [null, false] };
const started = await send("StartExecution", { stateMachineArn: machine, name: "one", input: JSON.stringify(input) });
found = await ended(started.executionArn);
check("start and wait", found.status === "SUCCEEDED" && isDeepStrictEqual(JSON.parse(found.output), input), found);
for (let n = 0; n < 4; n += 1) {
  await ended((await send("StartExecution", { stateMachineArn: machine })).executionArn);
}
listed = await all(sfn.paginateListExecutions, "executions", { stateMachineArn: machine }, 2);
check("list executions", listed.length === 5 && listed[4].name === "one", listed);
const { executionArn } = started;
const events = await all(sfn.paginateGetExecutionHistory, "events", { executionArn }, 3);
check("history", isDeepStrictEqual(events.map((event) => event.id), [1, 2, 3, 4]), events);
const backwards = await all(sfn.paginateGetExecutionHistory, "events", { executionArn, reverseOrder: true }, 1);
check("history backwards", isDeepStrictEqual(backwards.reverse(), events), backwards);

// Stopping.
const waits = await create("js-wait", wait);
const endless = (await send("StartExecution", { stateMachineArn: waits })).executionArn;
await send("StopExecution", { executionArn: endless, error: "Enough", cause: "of this" });
found = await ended(endless);
check("stop", found.status === "ABORTED" && found.error === "Enough" && found.cause === "of this", found);

// Tags.
await send("TagResource", { resourceArn: machine, tags: [{ key: "a", value: "1" }, { key: "b", value: "" }] });
await send("UntagResource", { resourceArn: machine, tagKeys: ["a"] });
const { tags } = await send("ListTagsForResource", { resourceArn: machine });
check("tags", isDeepStrictEqual(tags, [{ key: "b", value: "" }]), tags);

// Definitions.
const valid = await send("ValidateStateMachineDefinition", { definition: JSON.stringify(pass) });
check("valid", valid.result === "OK", valid);
const invalid = await send("ValidateStateMachineDefinition", { definition: "{}" });
check("not valid", invalid.result === "FAIL" && invalid.diagnostics.length > 0, invalid);

// An activity and its worker.
const { activityArn } = await send("CreateActivity", { name: `js-${run}` });
const works = await create("js-activity", {
  StartAt: "A",
  States: { A: { Type: "Task", Resource: activityArn, HeartbeatSeconds: 30, End: true } },
});
const worker = (async () => {
  const task = await send("GetActivityTask", { activityArn, workerName: "js" });
  await send("SendTaskHeartbeat", { taskToken: task.taskToken });
  await send("SendTaskSuccess", { taskToken: task.taskToken, output: JSON.stringify({ got: JSON.parse(task.input) }) });
  return task.taskToken;
})();
found = await ended((await send("StartExecution", { stateMachineArn: works, input: "7" })).executionArn);
const spent = await worker;
check("worker", found.output === '{"got":7}', found);

// A callback with a task token.
const calls = await create("js-callback", {
  StartAt: "C",
  States: {
    C: {
      Type: "Task",
      Resource: "arn:aws:states:::lambda:invoke.waitForTaskToken",
      Parameters: {
        FunctionName: "callback",
        Payload: { "id.$": "$$.Execution.Name", "token.$": "$$.Task.Token" },
      },
      End: true,
    },
  },
});
const name = `js-${run}`;
const waiting = (await send("StartExecution", { stateMachineArn: calls, name })).executionArn;
let taskToken = "";
for (let n = 0; n < 200 && taskToken === ""; n += 1) {
  taskToken = await (await fetch(`${lambdaEndpoint}/tokens/${name}`)).text();
  await sleep(50);
}
await send("SendTaskSuccess", { taskToken, output: "[1]" });
found = await ended(waiting);
check("callback", found.output === "[1]", found);

// Errors have their classes.
await refused("no such execution", "ExecutionDoesNotExist", "DescribeExecution", { executionArn: `${executionArn}-not` });
await refused("no such machine", "StateMachineDoesNotExist", "StartExecution", { stateMachineArn: `${machine}-not` });
await refused("taken", "ExecutionAlreadyExists", "StartExecution", { stateMachineArn: machine, name: "one", input: "1" });
await refused("invalid ARN", "InvalidArn", "DescribeActivity", { activityArn: "nonsense" });
await refused("invalid token", "InvalidToken", "SendTaskSuccess", { taskToken: "nonsense", output: "{}" });
await refused("spent token", "TaskTimedOut", "SendTaskSuccess", { taskToken: spent, output: "{}" });
await refused("invalid definition", "InvalidDefinition", "CreateStateMachine", { name: "x", definition: "{", roleArn });
await refused("invalid input", "InvalidExecutionInput", "StartExecution", { stateMachineArn: machine, input: "{" });

// Deleting.
for (const stateMachineArn of [machine, waits, works, calls]) await send("DeleteStateMachine", { stateMachineArn });
await send("DeleteActivity", { activityArn });
await refused("no such activity", "ActivityDoesNotExist", "DescribeActivity", { activityArn });
listed = await all(sfn.paginateListStateMachines, "stateMachines", {}, 100);
check("delete", !listed.some((one) => one.name.endsWith(run)), listed);

console.log(`sdk for javascript: ${passed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
