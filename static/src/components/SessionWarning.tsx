import { useEffect, useState } from "react";
import { loginUrl } from "../bff/client";
import { type Problem, asProblem } from "../bff/problem";
import { usePlace } from "../place";
import { Dialog } from "./Dialog";
import type { SignedIn } from "./Header";
import { ProblemBanner } from "./ProblemBanner";

interface Props {
  session: SignedIn;
  onStay: () => Promise<void>;
  onSignOut: () => void;
}

/** Says that the session ends soon, while there is time to do something about it. */
export function SessionWarning({ session, onStay, onSignOut }: Props) {
  const [problem, setProblem] = useState<Problem | null>(null);
  const [isAccepted, setAccepted] = useState(false);
  const place = usePlace();
  const seconds = useSecondsUntil(session.endsAt);
  // At the absolute limit nothing but another login helps.
  const isFinal = session.endsAtLatest - session.endsAt < 1000;

  async function stay() {
    setProblem(null);
    try {
      await onStay();
    } catch (thrown) {
      setProblem(asProblem(thrown));
    }
  }

  if (isFinal && isAccepted) {
    return null;
  }
  return (
    <Dialog
      title="Your session ends soon"
      role="alertdialog"
      onCancel={() => (isFinal ? setAccepted(true) : void stay())}
    >
      <p className="countdown" aria-hidden="true">
        <span>{clock(seconds)}</span>
      </p>
      <p role="timer" aria-live="polite" className="visually-hidden">
        {spoken(seconds)}
      </p>
      <p>
        {isFinal
          ? "You have been signed in for as long as is allowed. Finish what you are doing, then sign in again."
          : "You have not done anything for a while. Stay signed in to go on where you are."}
      </p>
      {problem && <ProblemBanner problem={problem} />}
      <div className="dialog-actions">
        {isFinal ? (
          <>
            <button type="button" className="button" onClick={() => setAccepted(true)}>
              Go on for now
            </button>
            <a className="button primary" href={loginUrl(place)}>
              Sign in again
            </a>
          </>
        ) : (
          <>
            <button type="button" className="button primary" onClick={() => void stay()}>
              Stay signed in
            </button>
            <button type="button" className="button" onClick={onSignOut}>
              Sign out
            </button>
          </>
        )}
      </div>
    </Dialog>
  );
}

function useSecondsUntil(moment: number): number {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 1000);
    return () => clearInterval(timer);
  }, []);
  return Math.max(0, Math.ceil((moment - now) / 1000));
}

function clock(seconds: number): string {
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}

/** Changes seldom, so that a screen reader does not count the seconds. */
function spoken(seconds: number): string {
  if (seconds > 60) {
    return `About ${Math.ceil(seconds / 60)} minutes left.`;
  }
  return seconds > 20 ? "Less than a minute left." : "Less than 20 seconds left.";
}
