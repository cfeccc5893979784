const DAY = new Intl.DateTimeFormat("en-GB", { weekday: "long", day: "numeric", month: "long", timeZone: "UTC" });
const HOURS = new Intl.NumberFormat("en", { maximumFractionDigits: 2 });

/** `2026-01-31` as "Saturday 31 January". */
export function dayName(day: string): string {
  return DAY.format(new Date(`${day}T00:00:00Z`));
}

/** `7.5` as "7.5 h". */
export function hours(value: number): string {
  return `${HOURS.format(value)} h`;
}

/** Today where the user is, as in 2026-01-31. */
export function today(): string {
  const now = new Date();
  return new Date(now.getTime() - now.getTimezoneOffset() * 60_000).toISOString().slice(0, 10);
}
