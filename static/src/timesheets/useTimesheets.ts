import { useCallback, useEffect, useState } from "react";
import { type Problem, asProblem } from "../bff/problem";
import { type Timesheet, listTimesheets, whoAmI } from "./api";
import { type Permissions, permissionsOf } from "./permissions";

export interface TimesheetsState {
  /** null while they are on the way. */
  sheets: Timesheet[] | null;
  /** null until the API has said. */
  permissions: Permissions | null;
  problem: Problem | null;
}

const NOTHING: TimesheetsState = { sheets: null, permissions: null, problem: null };

/** The timesheets and what may be done with them; `reload` reads both again. */
export function useTimesheets(): TimesheetsState & { reload: () => Promise<void> } {
  const [state, setState] = useState(NOTHING);

  const load = useCallback(async (signal?: AbortSignal) => {
    const [caller, sheets] = await Promise.allSettled([whoAmI(signal), listTimesheets(signal)]);
    if (signal?.aborted) {
      return;
    }
    const failed = [sheets, caller].find((result) => result.status === "rejected");
    setState((before) => ({
      sheets: sheets.status === "fulfilled" ? sheets.value : (before.sheets ?? []),
      permissions: caller.status === "fulfilled" ? permissionsOf(caller.value) : before.permissions,
      problem: failed === undefined ? null : asProblem(failed.reason),
    }));
  }, []);

  useEffect(() => {
    const controller = new AbortController();
    void load(controller.signal);
    return () => controller.abort();
  }, [load]);

  return { ...state, reload: useCallback(() => load(), [load]) };
}
