import { useCallback, useEffect, useState } from "react";
import { type Answer, type Storage, lookAtAnswer, lookAtStorage } from "../bff/evidence";
import { CheckIcon, CrossIcon, ShieldIcon } from "./icons";

const ADDRESSES = ["/bff/session", "/api/whoami"];

/** What a script in this page can lay its hands on: looked up, not claimed. */
export function BrowserHolds() {
  const [storage, setStorage] = useState<Storage | null>(null);
  const [answers, setAnswers] = useState<Answer[]>([]);

  const look = useCallback(async () => {
    setStorage(await lookAtStorage());
    setAnswers(await Promise.all(ADDRESSES.map(lookAtAnswer)));
  }, []);
  useEffect(() => void look(), [look]);

  const withToken = answers.filter((answer) => answer.hasToken).map((answer) => answer.address);
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
          <Fact name="Tokens in answers" found={withToken} nothing={answers.length === 0 ? "looking …" : "none"} />
        </ul>
      )}
      <details className="answers">
        <summary>See the answers</summary>
        {answers.map((answer) => (
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

function Fact({ name, found, nothing = "none" }: { name: string; found: readonly string[]; nothing?: string }) {
  const isClean = found.length === 0;
  return (
    <li className={isClean ? "fact good" : "fact"}>
      {isClean ? <CheckIcon /> : <CrossIcon />}
      <span>{name}</span>
      <strong>{isClean ? nothing : found.join(", ")}</strong>
    </li>
  );
}
