import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { call } from "./client";
import { SessionMonitor } from "./sessionMonitor";

type Method = "GET" | "POST";

/** A gateway with one session, seen by any number of tabs; everything takes no time but what the clock is told. */
class Gateway {
  idle = 1800;
  limit = 28800;
  isDown = false;
  readonly seen: string[] = [];
  private idleEndsAt = 0;
  private endsAt = 0;

  signIn(): void {
    this.endsAt = Date.now() + this.limit * 1000;
    this.use();
  }

  use(): void {
    this.idleEndsAt = Math.min(Date.now() + this.idle * 1000, this.endsAt);
  }

  end(): void {
    this.idleEndsAt = 0;
  }

  count(method: Method, path: string): number {
    return this.seen.filter((line) => line === `${method} ${path}`).length;
  }

  fetch = async (path: string, request: RequestInit): Promise<Response> => {
    this.seen.push(`${request.method} ${path}`);
    if (this.isDown) {
      return Response.json({ code: "store_unavailable", title: "…" }, { status: 503, headers: { "Retry-After": "60" } });
    }
    if (path === "/bff/logout") {
      this.end();
      return Response.json({ logout_url: "https://provider.example/bye" });
    }
    if (path !== "/bff/session") {
      return Response.json({ code: "session_ended", title: "…" }, { status: 401 });
    }
    const left = Math.floor((this.idleEndsAt - Date.now()) / 1000);
    if (left <= 0) {
      return Response.json({ authenticated: false, login_url: "/bff/login" });
    }
    if (request.method === "POST") {
      this.use();
    }
    return Response.json({
      authenticated: true,
      claims: { sub: "ann" },
      idle_expires_in: Math.floor((this.idleEndsAt - Date.now()) / 1000),
      expires_in: Math.floor((this.endsAt - Date.now()) / 1000),
      logout_url: "/bff/logout",
    });
  };
}

/** Tabs of one browser; a message reaches all but its sender. */
class Channel {
  static open = new Set<Channel>();
  onmessage: ((event: { data: unknown }) => void) | null = null;
  constructor(readonly name: string) {
    Channel.open.add(this);
  }
  postMessage(data: unknown): void {
    for (const other of Channel.open) {
      if (other !== this && other.name === this.name) {
        other.onmessage?.({ data });
      }
    }
  }
  close(): void {
    Channel.open.delete(this);
  }
}

const page = Object.assign(new EventTarget(), { visibilityState: "visible" });
const assign = vi.fn();
let gateway: Gateway;
let stops: (() => void)[];

async function openTab(): Promise<SessionMonitor> {
  const monitor = new SessionMonitor();
  stops.push(monitor.start());
  await settle();
  return monitor;
}

const settle = () => vi.advanceTimersByTimeAsync(0);
const pass = (seconds: number) => vi.advanceTimersByTimeAsync(seconds * 1000);

beforeEach(() => {
  vi.useFakeTimers();
  gateway = new Gateway();
  stops = [];
  page.visibilityState = "visible";
  Channel.open.clear();
  vi.stubGlobal("fetch", gateway.fetch);
  vi.stubGlobal("BroadcastChannel", Channel);
  vi.stubGlobal("window", page);
  vi.stubGlobal("document", page);
  vi.stubGlobal("location", { origin: "https://app.example", assign });
  assign.mockReset();
});
afterEach(() => {
  stops.forEach((stop) => stop());
  vi.useRealTimers();
});

describe("a page that is opened", () => {
  test("knows nothing until the gateway has answered", async () => {
    const monitor = new SessionMonitor();
    expect(monitor.current()).toEqual({ status: "unknown", problem: null });
  });

  test("learns that nobody is signed in, and does not ask again by itself", async () => {
    const tab = await openTab();
    expect(tab.current()).toEqual({ status: "signed-out", because: "never" });
    await pass(3600);
    expect(gateway.count("GET", "/bff/session")).toBe(1);
  });

  test("learns who is signed in and until when", async () => {
    gateway.signIn();
    const tab = await openTab();
    expect(tab.current()).toEqual({
      status: "signed-in",
      claims: { sub: "ann" },
      endsAt: Date.now() + 1800_000,
      endsAtLatest: Date.now() + 28800_000,
      endsSoon: false,
    });
  });

  test("says what is wrong when the gateway cannot tell, and asks again", async () => {
    gateway.isDown = true;
    const tab = await openTab();
    expect(tab.current()).toMatchObject({ status: "unknown", problem: { code: "store_unavailable" } });
    gateway.isDown = false;
    await pass(59);
    expect(tab.current().status).toBe("unknown");
    await pass(1);
    expect(tab.current().status).toBe("signed-out");
  });
});

describe("while somebody is signed in", () => {
  test("the session is looked at every minute and never extended by that", async () => {
    gateway.signIn();
    await openTab();
    await pass(600);
    expect(gateway.count("GET", "/bff/session")).toBe(11);
    expect(gateway.count("POST", "/bff/session")).toBe(0);
  });

  test("a page that nobody looks at does not ask until the end", async () => {
    gateway.signIn();
    const tab = await openTab();
    page.visibilityState = "hidden";
    await pass(1799);
    expect(gateway.count("GET", "/bff/session")).toBe(1);
    await pass(2);
    expect(tab.current()).toEqual({ status: "signed-out", because: "expired" });
  });

  test("a page that is looked at again asks at once, and once for all events of that", async () => {
    gateway.signIn();
    const tab = await openTab();
    await pass(10);
    gateway.end();
    page.dispatchEvent(new Event("visibilitychange"));
    page.dispatchEvent(new Event("focus"));
    await settle();
    expect(gateway.count("GET", "/bff/session")).toBe(2);
    expect(tab.current()).toEqual({ status: "signed-out", because: "ended" });
  });

  test("an outage signs nobody out", async () => {
    gateway.signIn();
    const tab = await openTab();
    gateway.isDown = true;
    await pass(300);
    expect(tab.current().status).toBe("signed-in");
  });

  test("a call that finds the session gone makes it known, with the reason", async () => {
    gateway.signIn();
    const tab = await openTab();
    gateway.end();
    await expect(call("/api/x")).rejects.toMatchObject({ code: "session_ended" });
    await settle();
    expect(tab.current()).toEqual({ status: "signed-out", because: "ended" });
  });

  test("a call that claims so wrongly changes nothing: the gateway's word counts", async () => {
    gateway.signIn();
    const tab = await openTab();
    await expect(call("/api/x")).rejects.toMatchObject({ code: "session_ended" });
    await settle();
    expect(tab.current().status).toBe("signed-in");
  });
});

describe("the warning", () => {
  const endsSoon = (tab: SessionMonitor) => {
    const state = tab.current();
    return state.status === "signed-in" && state.endsSoon;
  };

  test("comes two minutes before the end", async () => {
    gateway.signIn();
    const tab = await openTab();
    await pass(1679);
    expect(endsSoon(tab)).toBe(false);
    await pass(2);
    expect(endsSoon(tab)).toBe(true);
  });

  test("comes later when sessions are short", async () => {
    gateway.idle = 60;
    gateway.signIn();
    const tab = await openTab();
    await pass(44);
    expect(endsSoon(tab)).toBe(false);
    await pass(2);
    expect(endsSoon(tab)).toBe(true);
  });

  test("does not come while the API is used", async () => {
    gateway.signIn();
    const tab = await openTab();
    for (let minute = 0; minute < 60; minute++) {
      await pass(60);
      gateway.use();
      expect(endsSoon(tab)).toBe(false);
    }
  });

  test("goes away when the user stays signed in, in other tabs too", async () => {
    gateway.signIn();
    const [tab, other] = [await openTab(), await openTab()];
    await pass(1700);
    expect([endsSoon(tab), endsSoon(other)]).toEqual([true, true]);
    await tab.staySignedIn();
    await settle();
    expect(gateway.count("POST", "/bff/session")).toBe(1);
    expect([endsSoon(tab), endsSoon(other)]).toEqual([false, false]);
  });

  test("stays when staying signed in failed, and the failure is told", async () => {
    gateway.signIn();
    const tab = await openTab();
    await pass(1700);
    gateway.isDown = true;
    await expect(tab.staySignedIn()).rejects.toMatchObject({ code: "store_unavailable" });
    expect(endsSoon(tab)).toBe(true);
  });

  test("that is not heeded is followed by the end", async () => {
    gateway.signIn();
    const tab = await openTab();
    await pass(1802);
    expect(tab.current()).toEqual({ status: "signed-out", because: "expired" });
  });
});

describe("other tabs", () => {
  test("see a logout at once", async () => {
    gateway.signIn();
    const [tab, other] = [await openTab(), await openTab()];
    await tab.signOut();
    await settle();
    expect(tab.current()).toEqual({ status: "signed-out", because: "leaving" });
    expect(other.current()).toEqual({ status: "signed-out", because: "elsewhere" });
    expect(assign).toHaveBeenCalledExactlyOnceWith("https://provider.example/bye");
  });

  test("see a login at once", async () => {
    const waiting = await openTab();
    gateway.signIn();
    await openTab();
    await settle();
    expect(waiting.current().status).toBe("signed-in");
  });

  test("stop asking each other", async () => {
    gateway.signIn();
    for (let tab = 0; tab < 5; tab++) {
      await openTab();
    }
    await settle();
    const asked = gateway.seen.length;
    await pass(50);
    expect(gateway.seen.length).toBe(asked);
  });
});

describe("a logout", () => {
  test("that fails leaves the user signed in, in every tab", async () => {
    gateway.signIn();
    const [tab, other] = [await openTab(), await openTab()];
    gateway.isDown = true;
    await expect(tab.signOut()).rejects.toMatchObject({ code: "store_unavailable" });
    await settle();
    expect([tab.current().status, other.current().status]).toEqual(["signed-in", "signed-in"]);
    expect(assign).not.toHaveBeenCalled();
  });

  test("shows the way in to who comes back by the back button", async () => {
    gateway.signIn();
    const tab = await openTab();
    await tab.signOut();
    await pass(5);
    page.dispatchEvent(new Event("pageshow"));
    await settle();
    expect(tab.current()).toEqual({ status: "signed-out", because: "never" });
  });

  test("is not undone by an answer that was on its way", async () => {
    gateway.signIn();
    const tab = await openTab();
    const before = await gateway.fetch("/bff/session", { method: "GET" });
    const late = new Promise<Response>((resolve) => setTimeout(() => resolve(before), 5000));
    vi.stubGlobal("fetch", (path: string, request: RequestInit) =>
      path === "/bff/session" ? late : gateway.fetch(path, request),
    );
    void tab.ask();
    await tab.signOut();
    await pass(5);
    expect(tab.current().status).toBe("signed-out");
  });
});

test("a page that is closed asks no more", async () => {
  gateway.signIn();
  await openTab();
  stops.splice(0).forEach((stop) => stop());
  await pass(3600);
  page.dispatchEvent(new Event("focus"));
  await settle();
  expect(gateway.seen.length).toBe(1);
  expect(Channel.open.size).toBe(0);
});
