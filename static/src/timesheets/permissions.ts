import type { Caller, Timesheet } from "./api";

export const OPERATIONS = ["read", "create", "delete", "approve"] as const;
export type Operation = (typeof OPERATIONS)[number];
export type Permissions = ReadonlySet<Operation>;

export const NO_PERMISSIONS: Permissions = new Set();

/** What the API will let the caller do. Hiding the rest is a courtesy; it is the API that refuses. */
export function permissionsOf(caller: Caller): Permissions {
  const scopes = new Set(caller.scope.split(" "));
  return new Set(OPERATIONS.filter((operation) => scopes.has(`${operation}:timesheets`)));
}

/** An approved timesheet stays. */
export function canDelete(permissions: Permissions, sheet: Timesheet): boolean {
  return permissions.has("delete") && sheet.status === "submitted";
}

/** Nobody approves their own hours. */
export function canApprove(permissions: Permissions, sheet: Timesheet, subject: string): boolean {
  return permissions.has("approve") && sheet.status === "submitted" && sheet.owner !== subject;
}
