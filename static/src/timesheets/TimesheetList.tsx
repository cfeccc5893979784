import type { Timesheet } from "./api";
import { dayName, hours } from "./format";
import { TimesheetRow } from "./TimesheetRow";

interface Props {
  /** null while they are on the way. */
  sheets: Timesheet[] | null;
  isRefused: boolean;
  mayApprove: (sheet: Timesheet) => boolean;
  mayDelete: (sheet: Timesheet) => boolean;
  onApprove: (sheet: Timesheet) => Promise<void>;
  onDelete: (sheet: Timesheet) => void;
}

/** Timesheets by day, the newest first. */
export function TimesheetList({ sheets, isRefused, mayApprove, mayDelete, onApprove, onDelete }: Props) {
  if (sheets === null) {
    return <p className="empty">Loading …</p>;
  }
  if (sheets.length === 0) {
    return isRefused ? null : <p className="empty">No timesheets here.</p>;
  }
  return [...Map.groupBy(sheets, (sheet) => sheet.day)].map(([day, ofDay]) => (
    <section key={day} className="day" aria-labelledby={`day-${day}`}>
      <h2 id={`day-${day}`}>
        <time dateTime={day}>{dayName(day)}</time>
        <span className="quiet">{hours(ofDay.reduce((sum, sheet) => sum + sheet.hours, 0))}</span>
      </h2>
      <ul className="rows">
        {ofDay.map((sheet) => (
          <TimesheetRow
            key={sheet.id}
            sheet={sheet}
            onApprove={mayApprove(sheet) ? () => onApprove(sheet) : null}
            onDelete={mayDelete(sheet) ? () => onDelete(sheet) : null}
          />
        ))}
      </ul>
    </section>
  ));
}
