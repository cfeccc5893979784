import { useEffect, useState, useSyncExternalStore } from "react";
import { SessionMonitor, type SessionState } from "./sessionMonitor";

export interface SessionControls {
  session: SessionState;
  /** Ask the gateway again. */
  check: () => Promise<void>;
  /** Count the idle limit from now. */
  staySignedIn: () => Promise<void>;
  /** End the session and leave the page; raises `Problem` if that failed. */
  signOut: () => Promise<void>;
}

/** The session, kept in step with the gateway and with other tabs. Use it once, at the top. */
export function useSession(): SessionControls {
  const [monitor] = useState(() => new SessionMonitor());
  useEffect(() => monitor.start(), [monitor]);
  const session = useSyncExternalStore(monitor.subscribe, monitor.current);
  return { session, check: monitor.ask, staySignedIn: monitor.staySignedIn, signOut: monitor.signOut };
}
