import { call } from "../bff/client";

export interface Timesheet {
  id: number;
  owner: string;
  owner_name: string;
  /** As in 2026-01-31. */
  day: string;
  project: string;
  hours: number;
  note: string;
  status: "submitted" | "approved";
  approved_by: string | null;
}

export type NewTimesheet = Pick<Timesheet, "day" | "project" | "hours" | "note">;

/** Whom the API takes the caller for. */
export interface Caller {
  sub: string;
  scope: string;
}

/** The timesheets the caller may see, the newest day first. */
export async function listTimesheets(signal?: AbortSignal): Promise<Timesheet[]> {
  const answer = await call<{ timesheets: Timesheet[] }>("/api/timesheets", signal ? { signal } : {});
  return answer.timesheets;
}

export function addTimesheet(timesheet: NewTimesheet): Promise<Timesheet> {
  return call<Timesheet>("/api/timesheets", { method: "POST", body: timesheet });
}

export function deleteTimesheet(id: number): Promise<undefined> {
  return call<undefined>(`/api/timesheets/${id}`, { method: "DELETE" });
}

export function approveTimesheet(id: number): Promise<Timesheet> {
  return call<Timesheet>(`/api/timesheets/${id}/approve`, { method: "POST" });
}

export function whoAmI(signal?: AbortSignal): Promise<Caller> {
  return call<Caller>("/api/whoami", signal ? { signal } : {});
}
