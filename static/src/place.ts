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
  const id = decodeURIComponent(location.hash.slice(1));
  const target = id === "" ? null : document.getElementById(id);
  target?.scrollIntoView({ block: "center" });
  target?.focus({ preventScroll: true });
}

function subscribe(onChange: () => void): () => void {
  window.addEventListener("popstate", onChange);
  window.addEventListener("hashchange", onChange);
  return () => {
    window.removeEventListener("popstate", onChange);
    window.removeEventListener("hashchange", onChange);
  };
}
