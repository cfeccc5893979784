import type { SessionState } from "../bff/sessionMonitor";
import { Logo } from "./icons";
import { UserMenu } from "./UserMenu";

export type SignedIn = Extract<SessionState, { status: "signed-in" }>;

export function Header({ session, onSignOut }: { session: SignedIn; onSignOut: () => void }) {
  return (
    <header className="header">
      <div className="header-inner">
        <a className="brand" href="/">
          <Logo />
          Timesheets
        </a>
        <UserMenu session={session} onSignOut={onSignOut} />
      </div>
    </header>
  );
}
