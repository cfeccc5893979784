import { useEffect, useRef } from "react";
import { adviceFor } from "../bff/advice";
import { loginUrl } from "../bff/client";
import type { Problem } from "../bff/problem";
import { usePlace } from "../place";
import { AlertIcon, CrossIcon } from "./icons";

interface Props {
  problem: Problem;
  /** Instead of the problem's own title. */
  heading?: string;
  onRetry?: () => void;
  onClose?: () => void;
}

/** What went wrong, what helps, and the reference by which it can be found in the log. */
export function ProblemBanner({ problem, heading, onRetry, onClose }: Props) {
  const { explanation } = adviceFor(problem);
  const banner = useRef<HTMLElement>(null);
  useEffect(() => {
    // What failed may be far down the page.
    void banner.current?.scrollIntoView({ block: "nearest" });
  }, [problem]);
  return (
    <section ref={banner} className="problem" role="alert">
      <AlertIcon />
      <div className="problem-text">
        <h2>{heading ?? problem.title}</h2>
        {explanation && <p>{explanation}</p>}
        <p className="problem-reference">
          <code>{problem.code}</code>
          {problem.requestId && (
            <>
              {" "}
              · Reference <code>{problem.requestId}</code>
            </>
          )}
        </p>
        <WayOn problem={problem} onRetry={onRetry} />
      </div>
      {onClose && (
        <button type="button" className="button icon-button" onClick={onClose} aria-label="Close this message">
          <CrossIcon />
        </button>
      )}
    </section>
  );
}

function WayOn({ problem, onRetry }: { problem: Problem; onRetry: (() => void) | undefined }) {
  const place = usePlace();
  switch (adviceFor(problem).wayOn) {
    case "sign-in":
      return <LoginLink href={loginUrl(place)} text="Sign in" />;
    case "step-up":
      return <LoginLink href={loginUrl(place, problem.loginUrl)} text="Confirm that it is you" />;
    case "other-account":
      return <LoginLink href={loginUrl(place, "/bff/login?prompt=login")} text="Sign in as somebody else" />;
    case "reload":
      return <WayOnButton onClick={() => location.reload()} text="Reload" />;
    case "retry":
      return onRetry ? <WayOnButton onClick={onRetry} text="Try again" /> : null;
    case "none":
      return null;
  }
}

function LoginLink({ href, text }: { href: string; text: string }) {
  return (
    <a className="button" href={href}>
      {text}
    </a>
  );
}

function WayOnButton({ onClick, text }: { onClick: () => void; text: string }) {
  return (
    <button type="button" className="button" onClick={onClick}>
      {text}
    </button>
  );
}
