/**
 * The gateway as the application sees it: who is signed in, signing in and out, and calls to the API.
 *
 * There is no token here. The browser sends its session cookie by itself, and no script can read that one either.
 */
import { type Problem, problemOf, unreachable } from "./problem";

const LOGIN = "/bff/login";
const LOGOUT = "/bff/logout";
const SESSION = "/bff/session";

const ATTEMPTS = 3;
const LONGEST_WAIT = 10;

/** The claims the gateway shows (BFF_SESSION_CLAIMS), as far as the provider gave them. */
export interface Claims {
  sub: string;
  name?: string;
  given_name?: string;
  family_name?: string;
  preferred_username?: string;
  email?: string;
  picture?: string;
}

/** An answer of `/bff/session`; the limits are in seconds from now. */
export type SessionAnswer =
  | { authenticated: false; login_url: string }
  | { authenticated: true; claims: Claims; idle_expires_in: number; expires_in: number; logout_url: string };

export interface CallOptions {
  method?: string;
  /** Sent as JSON. */
  body?: unknown;
  signal?: AbortSignal;
}

/** Who is signed in; asking does not extend the session. */
export function readSession(): Promise<SessionAnswer> {
  return call<SessionAnswer>(SESSION);
}

/** The same, and the idle limit counts from now. */
export function extendSession(): Promise<SessionAnswer> {
  return call<SessionAnswer>(SESSION, { method: "POST" });
}

/** End the session here; the URL to go to next, which ends it at the provider too. */
export async function endSession(): Promise<string> {
  const answer = await call<{ logout_url: string }>(LOGOUT, { method: "POST" });
  const url = new URL(answer.logout_url, location.origin);
  return url.protocol === "https:" || url.protocol === "http:" ? url.href : location.origin;
}

/**
 * The address that signs in and comes back to `returnTo`: for a link, or for `location.assign`.
 *
 * `login` is the `login_url` of a problem, if there is one: it can ask for more than a plain login does.
 */
export function loginUrl(returnTo: string = currentPlace(), login: string = LOGIN): string {
  const url = new URL(login, location.origin);
  if (url.origin !== location.origin) {
    return loginUrl(returnTo);
  }
  url.searchParams.set("return_to", returnTo);
  return url.pathname + url.search;
}

/** Where the user is: path, query and fragment. */
export function currentPlace(): string {
  // Browsers leave a backslash in queries and fragments as it is; the gateway takes none.
  return (location.pathname + location.search + location.hash).replaceAll("\\", "%5C");
}

/** Call the API or the gateway; returns the JSON of the answer, raises `Problem` for every failure. */
export async function call<Answer>(path: string, options: CallOptions = {}): Promise<Answer> {
  const isSafe = (options.method ?? "GET") === "GET";
  for (let attempt = 1; ; attempt++) {
    const response = await send(path, options);
    if (response.ok) {
      // 204 has no body; those who expect that ask for `call<undefined>`.
      return (response.status === 204 ? undefined : await response.json()) as Answer;
    }
    const problem = await problemOf(response);
    const wait = problem.status === 503 ? problem.retryAfter : undefined;
    if (!isSafe || wait === undefined || wait > LONGEST_WAIT || attempt === ATTEMPTS) {
      report(problem);
      throw problem;
    }
    await pause(wait, options.signal);
  }
}

/** Have `listener` told of every call that failed because nobody is signed in; returns how to stop that. */
export function onSessionGone(listener: (problem: Problem) => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

const listeners = new Set<(problem: Problem) => void>();

function report(problem: Problem): void {
  if (problem.isSessionGone) {
    listeners.forEach((listener) => listener(problem));
  }
}

async function send(path: string, { method = "GET", body, signal }: CallOptions): Promise<Response> {
  // X-CSRF is for browsers that send neither Sec-Fetch-Site nor Origin.
  const headers: Record<string, string> = { Accept: "application/json", "X-CSRF": "1" };
  const request: RequestInit = { method, headers, credentials: "same-origin", cache: "no-store" };
  if (body !== undefined) {
    headers["Content-Type"] = "application/json";
    request.body = JSON.stringify(body);
  }
  if (signal !== undefined) {
    request.signal = signal;
  }
  try {
    return await fetch(path, request);
  } catch (fault) {
    signal?.throwIfAborted();
    throw unreachable(fault);
  }
}

function pause(seconds: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const timer = setTimeout(resolve, seconds * 1000);
    signal?.addEventListener("abort", () => (clearTimeout(timer), reject(signal.reason)), { once: true });
  });
}
