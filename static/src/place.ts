import { useSyncExternalStore } from "react";
import { currentPlace } from "./bff/client";

/** Where the user is: path, query and fragment. Rendered again when that changes. */
export function usePlace(): string {
  return useSyncExternalStore(subscribe, currentPlace);
}

/** Go to another place of the application without loading it again. */
export function go(place: string): void {
  history.pushState(null, "", place);
  window.dispatchEvent(new PopStateEvent("popstate"));
}

/** Bring the element the address points at into view; a browser did that too early, before there was anything. */
export function showTarget(): void {
  const id = location.hash.slice(1);
  // As the browser looks for it itself: as it is written, else decoded, and not every address can be.
  const target = id === "" ? null : (document.getElementById(id) ?? document.getElementById(decoded(id)));
  target?.scrollIntoView({ block: "center" });
  target?.focus({ preventScroll: true });
}

function decoded(id: string): string {
  try {
    return decodeURIComponent(id);
  } catch {
    return "";
  }
}

/**
 * Take out of the address what the provider has put into it after a logout: the gateway's `state` comes back (OpenID
 * Connect RP-Initiated Logout 1.0, section 3) and means nothing here.
 */
export function forgetLogout(): void {
  const url = new URL(location.href);
  if (/^[0-9a-f]{32}$/.test(url.searchParams.get("state") ?? "")) {
    url.searchParams.delete("state");
    history.replaceState(null, "", url);
  }
}

function subscribe(onChange: () => void): () => void {
  window.addEventListener("popstate", onChange);
  window.addEventListener("hashchange", onChange);
  return () => {
    window.removeEventListener("popstate", onChange);
    window.removeEventListener("hashchange", onChange);
  };
}
