import { expect, test } from "vitest";
import { containsToken } from "./evidence";

const JWT = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ1c2VyIn0.c2lnbmF0dXJl";

test.each([
  ["a signed token in the body", [], `{"x":"${JWT}"}`],
  ["a signed token in a field", [["x-debug", `Bearer ${JWT}`]], "{}"],
  ["a token response", [], '{"access_token":"opaque"}'],
  ["a refresh token", [], '{"refresh_token":"opaque"}'],
  ["an ID token", [], '{"id_token":"x"}'],
] as const)("%s is found", (_, fields, body) => {
  expect(containsToken(fields, body)).toBe(true);
});

test("an answer of the session endpoint has none", () => {
  expect(containsToken([["content-type", "application/json"]], '{"authenticated":true,"claims":{"sub":"user-1"}}')).toBe(false);
});
