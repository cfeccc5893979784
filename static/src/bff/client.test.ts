import { beforeEach, describe, expect, test, vi } from "vitest";
import { call, currentPlace, endSession, extendSession, loginUrl, onSessionGone, readSession } from "./client";
import { type Problem, asProblem } from "./problem";

const fetched = vi.fn<typeof fetch>();

function answer(status: number, body: unknown, headers: Record<string, string> = {}): Response {
  const type = status < 400 ? "application/json" : "application/problem+json";
  return new Response(body === null ? null : JSON.stringify(body), { status, headers: { "Content-Type": type, ...headers } });
}

/** The problem that a call raises. */
async function problemIn(promise: Promise<unknown>): Promise<Problem> {
  return promise.then(
    () => expect.fail("No problem was raised."),
    (thrown: unknown) => asProblem(thrown),
  );
}

beforeEach(() => {
  fetched.mockReset();
  vi.stubGlobal("fetch", fetched);
  vi.stubGlobal("location", new URL("https://app.example/sheets?show=approved#sheet-3"));
});

describe("the login address", () => {
  test("comes back to the same place with query and fragment", () => {
    expect(loginUrl()).toBe("/bff/login?return_to=%2Fsheets%3Fshow%3Dapproved%23sheet-3");
  });

  test("keeps what a problem's own login address asks for", () => {
    const url = new URL(loginUrl("/x", "/bff/login?acr_values=gold&max_age=0"), location.origin);
    expect(Object.fromEntries(url.searchParams)).toEqual({ acr_values: "gold", max_age: "0", return_to: "/x" });
  });

  test.each(["https://evil.example/login", "//evil.example/login", "javascript:alert(1)"])(
    "never leads to another origin: %s",
    (login) => expect(loginUrl("/x", login)).toBe("/bff/login?return_to=%2Fx"),
  );

  test("has no backslash in the place to come back to, for the gateway refuses one", () => {
    vi.stubGlobal("location", new URL("https://app.example/?path=C:\\temp"));
    expect(currentPlace()).toBe("/?path=C:%5Ctemp");
  });
});

describe("the session", () => {
  test("is read by a GET and extended by a POST", async () => {
    fetched.mockImplementation(async () => answer(200, { authenticated: false, login_url: "/bff/login" }));
    expect(await readSession()).toEqual({ authenticated: false, login_url: "/bff/login" });
    await extendSession();
    expect(fetched.mock.calls.map(([path, request]) => [request?.method, path])).toEqual([
      ["GET", "/bff/session"],
      ["POST", "/bff/session"],
    ]);
  });

  test("ends by a POST that tells where to go next", async () => {
    fetched.mockResolvedValue(answer(200, { logout_url: "https://provider.example/logout?x=1" }));
    expect(await endSession()).toBe("https://provider.example/logout?x=1");
    expect(fetched).toHaveBeenCalledWith("/bff/logout", expect.objectContaining({ method: "POST" }));
  });

  test("ends at the start page if the address to go to is none that loads a page", async () => {
    fetched.mockResolvedValue(answer(200, { logout_url: "javascript:alert(1)" }));
    expect(await endSession()).toBe("https://app.example");
  });

  test("ends at a path of ours if the provider has no page for it", async () => {
    fetched.mockResolvedValue(answer(200, { logout_url: "/bye" }));
    expect(await endSession()).toBe("https://app.example/bye");
  });
});

describe("a call", () => {
  test("sends JSON, asks for JSON, and shows that it comes from a script of ours", async () => {
    fetched.mockResolvedValue(answer(201, { id: 1 }));
    expect(await call("/api/timesheets", { method: "POST", body: { hours: 1 } })).toEqual({ id: 1 });
    const request = fetched.mock.calls[0]?.[1];
    expect(request?.body).toBe('{"hours":1}');
    expect(request?.credentials).toBe("same-origin");
    expect(request?.headers).toEqual({ Accept: "application/json", "Content-Type": "application/json", "X-CSRF": "1" });
  });

  test("never carries an Authorization header", async () => {
    fetched.mockResolvedValue(answer(200, {}));
    await call("/api/timesheets");
    expect(new Headers(fetched.mock.calls[0]?.[1]?.headers).has("Authorization")).toBe(false);
  });

  test("without content returns nothing", async () => {
    fetched.mockResolvedValue(answer(204, null));
    expect(await call("/api/timesheets/1", { method: "DELETE" })).toBeUndefined();
  });

  test("raises what the problem document says", async () => {
    const body = { title: "Not permitted", code: "insufficient_scope", detail: "Needs read.", request_id: "abc" };
    fetched.mockResolvedValue(answer(403, body));
    const problem = await problemIn(call("/api/timesheets"));
    expect(problem).toMatchObject({ status: 403, code: "insufficient_scope", title: "Not permitted", detail: "Needs read.", requestId: "abc" });
    expect(fetched).toHaveBeenCalledTimes(1);
  });

  test("takes the reference from the header when the API's own problem has none", async () => {
    fetched.mockResolvedValue(answer(409, { code: "approved", title: "Already approved" }, { "X-Request-Id": "header-id" }));
    expect((await problemIn(call("/api/x"))).requestId).toBe("header-id");
  });

  test.each([
    ["HTML", "<h1>Bad gateway</h1>", "text/html"],
    ["broken JSON", "{", "application/problem+json"],
    ["a JSON array", "[1]", "application/json"],
  ])("copes with an error that is %s", async (_, body, type) => {
    fetched.mockResolvedValue(new Response(body, { status: 502, headers: { "Content-Type": type } }));
    expect(await problemIn(call("/api/x", { method: "POST" }))).toMatchObject({ status: 502, code: "http_502" });
  });

  test("without any answer is a problem of its own", async () => {
    fetched.mockRejectedValue(new TypeError("Failed to fetch"));
    expect(await problemIn(call("/api/x"))).toMatchObject({ status: 0, code: "unreachable" });
  });

  test("that was called off is no problem but the abort", async () => {
    const controller = new AbortController();
    fetched.mockImplementation(async () => (controller.abort(), expect.fail("aborted")));
    await expect(call("/api/x", { signal: controller.signal })).rejects.toBe(controller.signal.reason);
  });
});

describe("a call that meets an outage", () => {
  const outage = (retryAfter: string) => answer(503, { code: "store_unavailable", title: "…" }, { "Retry-After": retryAfter });

  test("waits as long as it is told and tries again, if that is safe", async () => {
    vi.useFakeTimers();
    fetched.mockResolvedValueOnce(outage("2")).mockResolvedValueOnce(answer(200, { fine: true }));
    const result = call("/api/x");
    await vi.advanceTimersByTimeAsync(1999);
    expect(fetched).toHaveBeenCalledTimes(1);
    await vi.advanceTimersByTimeAsync(1);
    expect(await result).toEqual({ fine: true });
    vi.useRealTimers();
  });

  test("understands a date to wait for", async () => {
    vi.useFakeTimers({ now: Date.parse("2026-01-05T10:00:00Z") });
    fetched.mockResolvedValueOnce(outage("Mon, 05 Jan 2026 10:00:03 GMT")).mockResolvedValueOnce(answer(200, 1));
    const result = call("/api/x");
    await vi.advanceTimersByTimeAsync(2999);
    expect(fetched).toHaveBeenCalledTimes(1);
    await vi.advanceTimersByTimeAsync(1);
    expect(await result).toBe(1);
    vi.useRealTimers();
  });

  test("gives up after three attempts", async () => {
    fetched.mockImplementation(async () => outage("0"));
    expect(await problemIn(call("/api/x"))).toMatchObject({ code: "store_unavailable", retryAfter: 0 });
    expect(fetched).toHaveBeenCalledTimes(3);
  });

  test.each([
    ["POST", "0"],
    ["DELETE", "0"],
    ["GET", "3600"],
    ["GET", "soon"],
  ])("is not repeated when it is a %s and Retry-After is %s", async (method, retryAfter) => {
    fetched.mockImplementation(async () => outage(retryAfter));
    await problemIn(call("/api/x", { method }));
    expect(fetched).toHaveBeenCalledTimes(1);
  });

  test("stops waiting when it is called off", async () => {
    const controller = new AbortController();
    fetched.mockImplementation(async () => outage("9"));
    const result = call("/api/x", { signal: controller.signal });
    setTimeout(() => controller.abort(), 0);
    await expect(result).rejects.toMatchObject({ name: "AbortError" });
    expect(fetched).toHaveBeenCalledTimes(1);
  });
});

describe("a call that finds nobody signed in", () => {
  test.each(["no_session", "session_expired", "session_ended"])("tells the listeners: %s", async (code) => {
    const listener = vi.fn();
    const stop = onSessionGone(listener);
    fetched.mockImplementation(async () => answer(401, { code, title: "…", login_url: "/bff/login" }));
    await problemIn(call("/api/x"));
    stop();
    await problemIn(call("/api/x"));
    expect(listener).toHaveBeenCalledExactlyOnceWith(expect.objectContaining({ code, loginUrl: "/bff/login" }));
  });

  test.each([
    [401, "invalid_token"],
    [401, "step_up_required"],
    [403, "session_ended"],
  ])("is not what %s %s means", async (status, code) => {
    const listener = vi.fn();
    const stop = onSessionGone(listener);
    fetched.mockResolvedValue(answer(status, { code, title: "…" }));
    await problemIn(call("/api/x"));
    stop();
    expect(listener).not.toHaveBeenCalled();
  });
});
