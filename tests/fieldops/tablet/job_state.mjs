/** Answers questions about jobs, one JSON line each: {call, args}. */
import { createInterface } from "node:readline";
import * as state from "../../../fieldops/static/js/tablet/job_state.js";
import * as steps from "../../../fieldops/static/js/tablet/steps.js";

const calls = {
  withOps: state.withOps,
  toClose: (job) => state.toClose(job.outage).map((one) => one.valve),
  shutBy: (job) => state.shutBy(job.outage).map((one) => one.valve),
  leftOpen: steps.leftOpen,
  parts: (job) => steps.partsOf(job.outage).map((one) => [one.id, one.properties]),
  moves: (job, crews) => {
    const { main, others } = steps.nextMoves(job, crews);
    const told = main && (main.kind === "step" ? main.step.action : `${main.kind} ${main.valve.valve}`);
    return { main: told, others: others.map((one) => one.action) };
  },
  needs: (job, action, said) => steps.wantedNeeds(state.findStep(job, action), job, said).map((one) => one.field),
  known: (job, action) => {
    const { needs } = state.findStep(job, action);
    return Object.fromEntries(needs.filter((one) => one.field).map((one) => [one.field, steps.knownOf(one, job)]));
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const { call, args } = JSON.parse(line);
  console.log(JSON.stringify(calls[call](...args)));
}
