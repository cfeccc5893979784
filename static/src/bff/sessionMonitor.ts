import { type Claims, type SessionAnswer, endSession, extendSession, onSessionGone, readSession } from "./client";
import { type Problem, asProblem } from "./problem";

/** `never`: nobody was signed in here. `elsewhere`: signed out in another tab. `leaving`: signed out here, just now. */
export type SignedOutBecause = "never" | "expired" | "ended" | "elsewhere" | "leaving";

/** What is known of the session; times are milliseconds since the epoch. */
export type SessionState =
  | { status: "unknown"; problem: Problem | null }
  | { status: "signed-out"; because: SignedOutBecause }
  | {
      status: "signed-in";
      claims: Claims;
      /** When it ends if nothing is done. */
      endsAt: number;
      /** When it ends whatever is done. */
      endsAtLatest: number;
      /** Whether to warn of the end now. */
      endsSoon: boolean;
    };

type Message = "signed-in" | "signed-out" | "extended";

const CHANNEL = "bff-session";
const POLL = 60_000;
const POLL_NEAR_THE_END = 10_000;
const RETRY = 5_000;
const SETTLED = 1_000;
/** How long before its end the session is said to end soon; less for short sessions. */
const WARN_BEFORE = 120_000;
const WARN_FRACTION = 1 / 4;

/**
 * Keeps in step with the session: asks the gateway now and then, when the page is looked at again, and when another tab
 * has changed something. Only the gateway's answers count; what other tabs say is a reason to ask.
 */
export class SessionMonitor {
  private state: SessionState = { status: "unknown", problem: null };
  private readonly subscribers = new Set<() => void>();
  private channel: BroadcastChannel | null = null;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private turn = 0;
  private askedAt = 0;
  private hint: SignedOutBecause | undefined;
  private longest = 0;

  /** Begin to keep in step; returns how to stop. */
  start(): () => void {
    const channel = new BroadcastChannel(CHANNEL);
    channel.onmessage = ({ data }: MessageEvent<Message>) => void this.ask(data === "signed-out" ? "elsewhere" : undefined);
    this.channel = channel;
    const forget = onSessionGone((problem) => void this.ask(problem.code === "session_expired" ? "expired" : "ended"));
    // `pageshow` too: the back button can bring back a page as it was before a logout.
    window.addEventListener("pageshow", this.lookedAt);
    window.addEventListener("focus", this.lookedAt);
    window.addEventListener("online", this.lookedAt);
    document.addEventListener("visibilitychange", this.lookedAt);
    void this.ask();
    return () => {
      clearTimeout(this.timer);
      forget();
      channel.close();
      this.channel = null;
      this.turn++;
      window.removeEventListener("pageshow", this.lookedAt);
      window.removeEventListener("focus", this.lookedAt);
      window.removeEventListener("online", this.lookedAt);
      document.removeEventListener("visibilitychange", this.lookedAt);
    };
  }

  /** Have `subscriber` called after every change of `current()`; returns how to stop that. */
  subscribe = (subscriber: () => void): (() => void) => {
    this.subscribers.add(subscriber);
    return () => this.subscribers.delete(subscriber);
  };

  current = (): SessionState => this.state;

  /** Ask the gateway now; `because` is told if nobody is signed in any more. */
  ask = async (because?: SignedOutBecause): Promise<void> => {
    this.hint = because ?? this.hint;
    try {
      await this.take(readSession);
    } catch (thrown) {
      this.postpone(asProblem(thrown));
    }
  };

  /** Count the idle limit from now; raises `Problem`. */
  staySignedIn = async (): Promise<void> => {
    await this.take(extendSession);
    this.tell("extended");
  };

  /** End the session and go where the gateway says; raises `Problem` if that failed, and then it goes on. */
  signOut = async (): Promise<void> => {
    const next = await endSession();
    this.turn++;
    this.tell("signed-out");
    this.become({ status: "signed-out", because: "leaving" });
    location.assign(next);
  };

  private lookedAt = (): void => {
    // One return to a page is several events.
    if (document.visibilityState === "visible" && Date.now() - this.askedAt >= SETTLED) {
      void this.ask();
    }
  };

  private async take(request: () => Promise<SessionAnswer>): Promise<void> {
    const turn = ++this.turn;
    this.askedAt = Date.now();
    const answer = await request();
    // A later question has a newer answer.
    if (turn === this.turn) {
      this.accept(answer);
    }
  }

  private accept(answer: SessionAnswer): void {
    const before = this.state;
    const because = this.hint;
    this.hint = undefined;
    if (!answer.authenticated) {
      clearTimeout(this.timer);
      this.become({ status: "signed-out", because: because ?? why(before) });
      return;
    }
    const now = Date.now();
    const left = answer.idle_expires_in * 1000;
    this.longest = Math.max(this.longest, left);
    const warnBefore = Math.min(WARN_BEFORE, this.longest * WARN_FRACTION);
    this.become({
      status: "signed-in",
      claims: answer.claims,
      endsAt: now + left,
      endsAtLatest: now + answer.expires_in * 1000,
      endsSoon: left <= warnBefore,
    });
    if (before.status !== "signed-in") {
      // A tab that waits for a login need not wait for its own.
      this.tell("signed-in");
    }
    this.askIn(left > warnBefore ? Math.min(POLL, left - warnBefore) : Math.min(POLL_NEAR_THE_END, left + SETTLED));
  }

  /** A gateway that cannot answer has not said that the session is over. */
  private postpone(problem: Problem): void {
    if (this.state.status === "unknown") {
      this.become({ status: "unknown", problem });
    }
    this.askIn(Math.max(RETRY, (problem.retryAfter ?? 0) * 1000));
  }

  private askIn(milliseconds: number): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(this.timePassed, milliseconds);
  }

  private timePassed = (): void => {
    const left = this.state.status === "signed-in" ? this.state.endsAt - Date.now() : 0;
    if (document.visibilityState === "hidden" && left > 0) {
      // Nobody looks: the end is all that matters until somebody does.
      this.askIn(left + SETTLED);
    } else {
      void this.ask();
    }
  };

  private become(state: SessionState): void {
    this.state = state;
    this.subscribers.forEach((subscriber) => subscriber());
  }

  private tell(message: Message): void {
    this.channel?.postMessage(message);
  }
}

function why(before: SessionState): SignedOutBecause {
  if (before.status === "signed-out" && before.because !== "leaving") {
    return before.because;
  }
  if (before.status !== "signed-in") {
    return "never";
  }
  return Date.now() >= before.endsAt - SETTLED ? "expired" : "ended";
}
