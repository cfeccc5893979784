import type { Problem } from "./problem";

/**
 * What helps: `sign-in`, `step-up` (a login as the problem asks for it), `other-account`, `retry`, `reload`, or `none`.
 */
export type WayOn = "sign-in" | "step-up" | "other-account" | "retry" | "reload" | "none";

export interface Advice {
  explanation: string;
  wayOn: WayOn;
}

/** What to tell a person about a problem, and the way on to offer. */
export function adviceFor(problem: Problem): Advice {
  switch (problem.code) {
    case "no_session":
      return advice("Sign in to go on where you are.", "sign-in");
    case "session_expired":
      return advice("It was not used for a while. Sign in to go on where you are.", "sign-in");
    case "session_ended":
      return advice("You signed out, or your session was ended for you. Sign in to go on where you are.", "sign-in");
    case "step_up_required":
      return advice("Confirm that it is you, then try again.", "step-up");
    case "insufficient_scope":
      return advice(problem.detail ?? "Your sign-in does not include this permission.", "other-account");
    case "csrf_rejected":
      return advice("The gateway did not recognise this page as its own. Reload it and try again.", "reload");
    case "unexpected":
      return advice("This page did something it should not. Reloading it may help.", "reload");
    case "provider_unavailable":
    case "store_unavailable":
    case "upstream_unavailable":
    case "upstream_timeout":
      return advice("Your session is not affected. Try again in a moment.", "retry");
    case "unreachable":
      return advice("Check your connection and try again.", "retry");
    default:
      return byStatus(problem);
  }
}

function byStatus(problem: Problem): Advice {
  if (problem.status === 401) {
    return advice(problem.detail ?? "The API did not accept your sign-in. Signing in again may help.", "sign-in");
  }
  if (problem.status === 429 || problem.status >= 500) {
    return advice(problem.detail ?? "Try again in a moment.", "retry");
  }
  return advice(problem.detail ?? "", "none");
}

function advice(explanation: string, wayOn: WayOn): Advice {
  return { explanation, wayOn };
}
