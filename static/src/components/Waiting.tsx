import type { Problem } from "../bff/problem";
import { Logo } from "./icons";
import { ProblemBanner } from "./ProblemBanner";

/** Before it is known who is signed in. */
export function Waiting({ problem, onRetry }: { problem: Problem | null; onRetry: () => void }) {
  return (
    <main className="sign-in" aria-busy={problem === null}>
      {problem === null ? (
        <div className="waiting">
          <Logo />
          <p role="status">One moment …</p>
        </div>
      ) : (
        <div className="sign-in-problem">
          <ProblemBanner problem={problem} onRetry={onRetry} />
        </div>
      )}
    </main>
  );
}
