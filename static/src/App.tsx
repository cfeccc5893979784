import { useState } from "react";
import { type Problem, asProblem } from "./bff/problem";
import { useSession } from "./bff/useSession";
import { Header } from "./components/Header";
import { ProblemBanner } from "./components/ProblemBanner";
import { SessionWarning } from "./components/SessionWarning";
import { SignIn } from "./components/SignIn";
import { Waiting } from "./components/Waiting";
import { TimesheetsPage } from "./timesheets/TimesheetsPage";

export function App() {
  const { session, check, staySignedIn, signOut } = useSession();
  const [problem, setProblem] = useState<Problem | null>(null);

  async function trySignOut() {
    setProblem(null);
    try {
      await signOut();
    } catch (thrown) {
      setProblem(asProblem(thrown));
    }
  }

  if (session.status === "unknown") {
    return <Waiting problem={session.problem} onRetry={() => void check()} />;
  }
  if (session.status === "signed-out") {
    return <SignIn because={session.because} />;
  }
  return (
    <>
      <Header session={session} onSignOut={() => void trySignOut()} />
      <main className="page">
        {problem && (
          <ProblemBanner
            problem={problem}
            heading="You are still signed in"
            onRetry={() => void trySignOut()}
            onClose={() => setProblem(null)}
          />
        )}
        {/* Somebody else who signs in, in another tab, gets a page of their own. */}
        <TimesheetsPage key={session.claims.sub} session={session} />
      </main>
      {session.endsSoon && (
        <SessionWarning session={session} onStay={staySignedIn} onSignOut={() => void trySignOut()} />
      )}
    </>
  );
}
