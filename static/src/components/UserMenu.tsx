import { Avatar } from "./Avatar";
import type { SignedIn } from "./Header";
import { ChevronIcon } from "./icons";

const CLOCK = new Intl.DateTimeFormat(undefined, { hour: "numeric", minute: "2-digit" });

/** Who is signed in and until when; a popover, so that the browser sees to focus, Escape and clicks elsewhere. */
export function UserMenu({ session, onSignOut }: { session: SignedIn; onSignOut: () => void }) {
  const { claims, endsAt, endsAtLatest } = session;
  const name = claims.name ?? claims.preferred_username ?? claims.sub;
  return (
    <div className="user-menu">
      <button type="button" className="user-button" popoverTarget="user-menu">
        <Avatar name={name} />
        <span className="user-name">{name}</span>
        <ChevronIcon />
      </button>
      <div id="user-menu" className="user-popover" popover="auto">
        <p className="user-who">
          <strong>{name}</strong>
          {claims.email && <span>{claims.email}</span>}
        </p>
        <p className="quiet">
          Signed in until {CLOCK.format(endsAt)} unless you go on working, and until {CLOCK.format(endsAtLatest)} at the
          latest.
        </p>
        <button type="button" className="button wide" onClick={onSignOut}>
          Sign out
        </button>
      </div>
    </div>
  );
}
