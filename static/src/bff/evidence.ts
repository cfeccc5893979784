/** What a script of this origin could read, were it hostile. Nothing here is needed by an application. */

/** The names of what is stored, by place. */
export interface Storage {
  cookies: string[];
  local: string[];
  session: string[];
  databases: string[];
}

export interface Answer {
  address: string;
  status: number;
  body: string;
  hasToken: boolean;
}

/** A JSON Web Token, or a member of a token response (RFC 6749 section 5.1). */
const TOKEN = /\beyJ[\w-]{8,}\.[\w-]{8,}\.|"(?:access|refresh|id)_token"/;

/** What is stored for this origin where a script can read it. */
export async function lookAtStorage(): Promise<Storage> {
  return {
    cookies: document.cookie === "" ? [] : document.cookie.split("; ").map((cookie) => cookie.split("=")[0] ?? ""),
    local: Object.keys(localStorage),
    session: Object.keys(sessionStorage),
    databases: (await indexedDB.databases()).map((database) => database.name ?? ""),
  };
}

/** What an address answers, fields included. */
export async function lookAtAnswer(address: string): Promise<Answer> {
  const response = await fetch(address, { headers: { Accept: "application/json", "X-CSRF": "1" } });
  const body = await response.text();
  return { address, status: response.status, body: readable(body), hasToken: containsToken([...response.headers], body) };
}

/** Whether a token is in an answer's fields or body. */
export function containsToken(fields: ReadonlyArray<readonly [string, string]>, body: string): boolean {
  return TOKEN.test(body) || fields.some(([, value]) => TOKEN.test(value));
}

function readable(body: string): string {
  try {
    return JSON.stringify(JSON.parse(body), null, 2);
  } catch {
    return body;
  }
}
