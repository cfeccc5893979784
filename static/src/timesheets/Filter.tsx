import type { MouseEvent } from "react";
import { go } from "../place";
import type { Timesheet } from "./api";

const FILTERS = { all: "All", submitted: "Waiting", approved: "Approved" } as const;
export type FilterName = keyof typeof FILTERS;

/** The filter is in the address, so that it can be linked to and outlasts a login: `/?show=submitted`. */
export function filterOf(place: string): FilterName {
  const wanted = new URL(place, location.origin).searchParams.get("show");
  return wanted === "submitted" || wanted === "approved" ? wanted : "all";
}

export function matching(sheets: Timesheet[], filter: FilterName): Timesheet[] {
  return filter === "all" ? sheets : sheets.filter((sheet) => sheet.status === filter);
}

export function Filter({ current, sheets }: { current: FilterName; sheets: Timesheet[] }) {
  return (
    <nav className="filter" aria-label="Which timesheets">
      {(Object.keys(FILTERS) as FilterName[]).map((name) => (
        <a
          key={name}
          href={name === "all" ? "/" : `/?show=${name}`}
          aria-current={name === current ? "page" : undefined}
          onClick={goHere}
        >
          {FILTERS[name]} <span className="count">{matching(sheets, name).length}</span>
        </a>
      ))}
    </nav>
  );
}

function goHere(event: MouseEvent<HTMLAnchorElement>) {
  // With a modifier key it is another tab that is wanted.
  if (!(event.ctrlKey || event.metaKey || event.shiftKey || event.altKey)) {
    event.preventDefault();
    go(event.currentTarget.pathname + event.currentTarget.search);
  }
}
