/** Today's jobs, the one under way first; each says what comes next and what is not sent yet. */
import { badge, card, facts, link, make, notice, whereMark } from "./elements.js";
import { day, dayAskedAt } from "./day.js";
import { jobsNow, ownCrews, watchJobs } from "./local_state.js";
import { partOf } from "./steps.js";
import { jobRoute } from "./valve_route.js";
import { age, clock, figure, name, say } from "./words.js";

/** @typedef {import("./job_state.js").JobNow} JobNow */

/** The nearer to the end of the work, the higher on the page. */
const RANK = ["working", "on_site", "en_route", "accepted", "assigned", "work_done", "on_hold"];

/** About as long as a finger with a glove rests on a button. */
const PRESS_MS = 400;

/** @param {HTMLElement} element */
export function show(element) {
  const list = make("div", { class: "jobs" });
  element.append(make("h1", {}, say("Jobs")), list);
  let turn = 0;
  const draw = async () => {
    const mine = ++turn;
    const jobs = await jobsNow();
    if (mine !== turn) return;
    // What is taken away under a finger is not pressed.
    if (list.querySelector(":active")) return void setTimeout(() => mine === turn && void draw(), PRESS_MS);
    list.replaceChildren(...(jobs ? viewJobs(jobs) : [notice("warn", say("This device has not heard yet which jobs there are. It needs a signal once."))]));
    element.dataset.jobs = jobs ? String(jobs.length) : "unknown";
  };
  const stop = watchJobs(() => void draw());
  const timer = setInterval(() => void draw(), 60_000);
  void draw();
  return () => {
    turn += 1;
    clearInterval(timer);
    stop();
  };
}

/** @param {JobNow[]} jobs */
function viewJobs(jobs) {
  const asked = dayAskedAt();
  const crews = day()?.crews ?? [];
  const head = make("p", { class: "quiet" }, [
    crews.map((crew) => crew.name).join(", "),
    asked ? say("as of %(time)s (%(age)s)", { time: clock(asked), age: age(asked) }) : "",
    ...crews.flatMap((crew) => (crew.shift_ends_at ? [say("shift until %(time)s", { time: clock(crew.shift_ends_at) })] : [])),
  ].filter(Boolean).join(" · "));
  const done = viewDone();
  if (!jobs.length) return [head, sayNone(crews.length > 0), ...done];
  const rank = (/** @type {JobNow} */ job) => (job.gone ? RANK.length + 1 : (RANK.indexOf(job.state) + RANK.length + 1) % (RANK.length + 1));
  const sorted = [...jobs].sort((a, b) => rank(a) - rank(b) || dueOf(a) - dueOf(b));
  return [head, make("ol", { class: "plain" }, sorted.map((job) => make("li", {}, viewJob(job)))), ...done];
}

/** Why there is no job: whoever is of no crew would wait in vain. @param {boolean} isOfCrew */
const sayNone = (isOfCrew) => (isOfCrew ? notice("info", say("No job is given to your crew."))
  : notice("warn", say("You belong to no crew, so no job can be given to you. Ask a dispatcher or manager to add you to your crew.")));

/** What is over, quietly: that a job has gone from the list must not look as if it were lost. */
function viewDone() {
  // A day that an older page kept has none.
  const done = day()?.done ?? [];
  if (!done.length) return [];
  return [make("section", { class: "done" }, make("h2", {}, say("Done in the last 16 hours")), make("ul", { class: "plain" }, done.map((job) =>
    make("li", { "data-done": job.id },
      make("strong", {}, `${job.id} · ${name("kind", job.kind)}${job.is_drill ? ` · ${say("drill")}` : ""}`),
      ` ${placeOf(job)} · ${name("state", job.state)} `, make("time", { datetime: job.closed_at }, clock(job.closed_at))))))];
}

/** @param {JobNow} job */
const dueOf = (job) => Date.parse(job.arrive_due_at ?? job.due_at ?? "9999-12-31T00:00:00Z");

/** @param {Pick<JobNow, "address" | "pipe" | "diameter_mm">} job */
export const placeOf = (job) => job.address ?? (job.pipe ? `${job.pipe}${job.diameter_mm ? ` · DN${Math.round(job.diameter_mm)}` : ""}` : say("no address"));

/** @param {JobNow} job */
export function marksOf(job) {
  const waiting = job.records.filter((op) => op.state === "here" || op.state === "sending");
  const refused = job.records.filter((op) => op.state === "needs_you" && !op.resolved);
  return [
    ...(refused.length ? [whereMark("needs_you")] : []),
    ...(waiting.length ? [make("span", { class: "where here", "data-where": "here" }, make("span", { class: "sign", "aria-hidden": "true" }, "▣"), say("On this device: %(n)s", { n: waiting.length }))] : []),
  ];
}

/** @param {JobNow} job */
export function stateWord(job) {
  if (job.gone === "declined") return say("declined on this device");
  if (job.gone === "handed_over") return say("handed over on this device");
  return job.stages[job.state]?.title ?? name("state", job.state);
}

/** @param {JobNow} job */
function viewJob(job) {
  const due = !job.arrived_at && ["assigned", "accepted", "en_route"].includes(job.state) ? job.arrive_due_at : job.due_at;
  const isLate = due !== null && Date.parse(due) < Date.now();
  const part = partOf(job, ownCrews());
  return card([
    make("h2", {}, `${job.id} · ${name("kind", job.kind)} · ${name("severity", job.severity)}`),
    make("p", { class: "place" }, placeOf(job)),
    make("p", { class: "marks" }, badge(stateWord(job), job.is_on_hold ? "warn" : "plain"), job.is_drill ? badge(say("drill"), "info") : null,
      part === "second" ? badge(say("second crew"), "info") : null, marksOf(job)),
    facts([
      [say("Properties without water"), job.customers_out === null ? null : figure(job.customers_out)],
      ...(due ? [/** @type {[string, Node]} */ ([say("Due"), badge(`${clock(due)}${isLate ? ` · ${say("overdue")}` : ""}`, isLate ? "wrong" : "plain")])] : []),
    ]),
    make("div", { class: "actions" }, link(say("Open %(job)s", { job: job.id }), jobRoute(job.id))),
  ], { class: "job", label: job.id });
}
