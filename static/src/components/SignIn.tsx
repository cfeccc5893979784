import { useEffect, useRef } from "react";
import { loginUrl } from "../bff/client";
import type { SignedOutBecause } from "../bff/sessionMonitor";
import { usePlace } from "../place";
import { Logo } from "./icons";

const WHY: Record<SignedOutBecause, { heading: string; text: string }> = {
  never: { heading: "Timesheets", text: "Hours worked, submitted and approved. Sign in to see yours." },
  expired: { heading: "Your session has expired", text: "It was not used for a while. Sign in to go on where you were." },
  ended: { heading: "Your session has ended", text: "It was ended for you. Sign in to go on where you were." },
  elsewhere: { heading: "You are signed out", text: "You signed out in another tab." },
  leaving: { heading: "Signing out …", text: "" },
};

/** The way in; a link and no script, for signing in means leaving the page. It comes back to the same place. */
export function SignIn({ because }: { because: SignedOutBecause }) {
  const place = usePlace();
  const { heading, text } = WHY[because];
  const title = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    // Where the work was is now this; whoever cannot see that is told.
    if (because !== "never") {
      title.current?.focus();
    }
  }, [because]);
  return (
    <main className="sign-in">
      <div className="sign-in-card">
        <Logo />
        <h1 ref={title} tabIndex={-1}>
          {heading}
        </h1>
        <p role="status">{text}</p>
        {because !== "leaving" && (
          <a className="button primary wide" href={loginUrl(place)}>
            Sign in
          </a>
        )}
        <p className="sign-in-note">
          You sign in at your identity provider. This page gets no token: the gateway keeps it, and the browser holds one
          cookie that no script can read.
        </p>
      </div>
    </main>
  );
}
