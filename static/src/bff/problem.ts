/** The codes with which the gateway says that nobody is signed in. */
export const SESSION_CODES: ReadonlySet<string> = new Set(["no_session", "session_expired", "session_ended"]);

interface ProblemFields {
  status: number;
  code: string;
  title: string;
  detail?: string | undefined;
  requestId?: string | undefined;
  loginUrl?: string | undefined;
  retryAfter?: number | undefined;
}

/** Why a call failed: what a problem document (RFC 9457) says, or that there was no answer at all (status 0). */
export class Problem extends Error {
  readonly status: number;
  readonly code: string;
  readonly title: string;
  readonly detail: string | undefined;
  readonly requestId: string | undefined;
  readonly loginUrl: string | undefined;
  /** Seconds after which another attempt makes sense. */
  readonly retryAfter: number | undefined;

  constructor(fields: ProblemFields) {
    super(fields.detail ?? fields.title);
    this.name = "Problem";
    this.status = fields.status;
    this.code = fields.code;
    this.title = fields.title;
    this.detail = fields.detail;
    this.requestId = fields.requestId;
    this.loginUrl = fields.loginUrl;
    this.retryAfter = fields.retryAfter;
  }

  /** Whether the gateway says that nobody is signed in; an API's own 401 says something else. */
  get isSessionGone(): boolean {
    return this.status === 401 && SESSION_CODES.has(this.code);
  }
}

/** The problem an answer describes; one that describes none gets a code made of its status. */
export async function problemOf(response: Response): Promise<Problem> {
  const document = await jsonObject(response);
  return new Problem({
    status: response.status,
    code: text(document.code) ?? `http_${response.status}`,
    title: text(document.title) ?? `The server answered with status ${response.status}.`,
    detail: text(document.detail),
    requestId: text(document.request_id) ?? response.headers.get("X-Request-Id") ?? undefined,
    loginUrl: text(document.login_url),
    retryAfter: retryAfter(response.headers.get("Retry-After")),
  });
}

/** The problem of a call that got no answer. */
export function unreachable(cause: unknown): Problem {
  const problem = new Problem({ status: 0, code: "unreachable", title: "The server cannot be reached." });
  problem.cause = cause;
  return problem;
}

/** What was thrown, as a problem. */
export function asProblem(thrown: unknown): Problem {
  if (thrown instanceof Problem) {
    return thrown;
  }
  const problem = new Problem({ status: 0, code: "unexpected", title: "Something unexpected happened." });
  problem.cause = thrown;
  return problem;
}

async function jsonObject(response: Response): Promise<Record<string, unknown>> {
  if (!/[/+]json\b/i.test(response.headers.get("Content-Type") ?? "")) {
    return {};
  }
  const document: unknown = await response.json().catch(() => null);
  return typeof document === "object" && document !== null ? (document as Record<string, unknown>) : {};
}

function text(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}

/** Seconds, from a number of them or from a date (RFC 9110 section 10.2.3). */
function retryAfter(value: string | null): number | undefined {
  if (value === null) {
    return undefined;
  }
  const seconds = /^\d+$/.test(value) ? Number(value) : (Date.parse(value) - Date.now()) / 1000;
  return Number.isFinite(seconds) ? Math.max(0, seconds) : undefined;
}
