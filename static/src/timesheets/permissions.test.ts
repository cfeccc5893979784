import { expect, test } from "vitest";
import type { Timesheet } from "./api";
import { canApprove, canDelete, permissionsOf } from "./permissions";

const all = permissionsOf({ sub: "ann", scope: "read:timesheets create:timesheets delete:timesheets approve:timesheets" });
const sheet = (changes: Partial<Timesheet> = {}): Timesheet => ({
  ...{ id: 1, owner: "bob", owner_name: "Bob", day: "2026-01-05", project: "P", hours: 1, note: "" },
  ...{ status: "submitted", approved_by: null },
  ...changes,
});

test("permissions are the API's scopes, whatever else was granted", () => {
  expect([...permissionsOf({ sub: "ann", scope: "openid create:timesheets read:timesheets read:reports" })]).toEqual(["read", "create"]);
  expect(permissionsOf({ sub: "ann", scope: "" }).size).toBe(0);
});

test("another's submitted hours can be approved", () => {
  expect(canApprove(all, sheet(), "ann")).toBe(true);
});

test("one's own hours, approved ones, and those without the scope cannot be approved", () => {
  expect(canApprove(all, sheet(), "bob")).toBe(false);
  expect(canApprove(all, sheet({ status: "approved", approved_by: "Eve" }), "ann")).toBe(false);
  expect(canApprove(new Set(["read", "delete"]), sheet(), "ann")).toBe(false);
});

test("what is not approved yet can be deleted with the scope", () => {
  expect(canDelete(all, sheet())).toBe(true);
  expect(canDelete(all, sheet({ status: "approved", approved_by: "Eve" }))).toBe(false);
  expect(canDelete(new Set(["read"]), sheet())).toBe(false);
});
