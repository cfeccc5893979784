import { expect, test } from "vitest";
import { adviceFor } from "./advice";
import { Problem, asProblem, unreachable } from "./problem";

const problem = (status: number, code: string, detail?: string) => new Problem({ status, code, title: "…", detail });

test.each([
  [401, "no_session", "sign-in"],
  [401, "session_expired", "sign-in"],
  [401, "session_ended", "sign-in"],
  [401, "step_up_required", "step-up"],
  [401, "invalid_token", "sign-in"],
  [403, "insufficient_scope", "other-account"],
  [403, "csrf_rejected", "reload"],
  [403, "own_timesheet", "none"],
  [404, "not_found", "none"],
  [422, "invalid_timesheet", "none"],
  [429, "http_429", "retry"],
  [500, "internal", "retry"],
  [0, "unexpected", "reload"],
  [502, "upstream_unavailable", "retry"],
  [503, "provider_unavailable", "retry"],
  [503, "store_unavailable", "retry"],
  [504, "upstream_timeout", "retry"],
] as const)("the way on from %s %s is: %s", (status, code, wayOn) => {
  expect(adviceFor(problem(status, code)).wayOn).toBe(wayOn);
});

test("an unreachable server is a reason to try again", () => {
  expect(adviceFor(unreachable(new TypeError())).wayOn).toBe("retry");
});

test("what the API says of its refusal is passed on", () => {
  expect(adviceFor(problem(403, "insufficient_scope", "This needs the scope x.")).explanation).toBe("This needs the scope x.");
  expect(adviceFor(problem(409, "approved", "Bob was faster.")).explanation).toBe("Bob was faster.");
});

test("whatever is thrown becomes a problem, and a problem stays what it is", () => {
  const known = problem(404, "not_found");
  expect(asProblem(known)).toBe(known);
  expect(asProblem("nonsense").code).toBe("unexpected");
});
