import { useCallback, useEffect, useState } from "react";
import { type Answer, type Storage, lookAtAnswer, lookAtStorage } from "../bff/evidence";
import { CheckIcon, CrossIcon, ShieldIcon, UnknownIcon } from "./icons";

const ADDRESSES = ["/bff/session", "/api/whoami"];
const WITHOUT_ANSWERS = { looking: "looking …", unreachable: "no answer" };

/** What a script in this page can lay its hands on: looked up, not claimed. */
export function BrowserHolds() {
  const [storage, setStorage] = useState<Storage | null>(null);
  const [answers, setAnswers] = useState<Answer[] | "looking" | "unreachable">("looking");

  const look = useCallback(async () => {
    setStorage(await lookAtStorage());
    setAnswers("looking");
    setAnswers(await Promise.all(ADDRESSES.map(lookAtAnswer)).catch(() => "unreachable" as const));
  }, []);
  useEffect(() => void look(), [look]);

  const seen = typeof answers === "string" ? [] : answers;
  const withToken = seen.filter((answer) => answer.hasToken).map((answer) => answer.address);
  return (
    <section className="card" id="what-the-browser-holds" tabIndex={-1} aria-labelledby="holds-title">
      <h2 id="holds-title">
        <ShieldIcon /> What the browser holds
      </h2>
      <p className="quiet">
        One session cookie, <code>HttpOnly</code>: the browser sends it, no script can read it. The gateway puts the token
        on the way to the API.
      </p>
      {storage && (
        <ul className="facts">
          <Fact name="Cookies a script sees" found={storage.cookies} />
          <Fact name="localStorage" found={storage.local} />
          <Fact name="sessionStorage" found={storage.session} />
          <Fact name="IndexedDB" found={storage.databases} />
          <Fact name="Tokens in answers" found={typeof answers === "string" ? WITHOUT_ANSWERS[answers] : withToken} />
        </ul>
      )}
      <details className="answers">
        <summary>See the answers</summary>
        {seen.map((answer) => (
          <figure key={answer.address}>
            <figcaption>
              <code>GET {answer.address}</code> {answer.status}
            </figcaption>
            <pre tabIndex={0} aria-label={`The answer of ${answer.address}`}>
              {answer.body}
            </pre>
          </figure>
        ))}
      </details>
      <button type="button" className="button small" onClick={() => void look()}>
        Look again
      </button>
    </section>
  );
}

/** What was found; in place of a list, why nothing is known. */
function Fact({ name, found }: { name: string; found: readonly string[] | string }) {
  if (typeof found === "string") {
    return (
      <li className="fact quiet">
        <UnknownIcon />
        <span>{name}</span>
        <strong>{found}</strong>
      </li>
    );
  }
  const isClean = found.length === 0;
  return (
    <li className={isClean ? "fact good" : "fact"}>
      {isClean ? <CheckIcon /> : <CrossIcon />}
      <span>{name}</span>
      <strong>{isClean ? "none" : found.join(", ")}</strong>
    </li>
  );
}
