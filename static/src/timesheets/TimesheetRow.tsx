import { useRef, useState } from "react";
import { Avatar } from "../components/Avatar";
import { CheckIcon, ClockIcon, TrashIcon } from "../components/icons";
import type { Timesheet } from "./api";
import { hours } from "./format";

interface Props {
  sheet: Timesheet;
  /** null: not offered. */
  onApprove: (() => Promise<void>) | null;
  onDelete: (() => void) | null;
}

export function TimesheetRow({ sheet, onApprove, onDelete }: Props) {
  const [isBusy, setBusy] = useState(false);
  const row = useRef<HTMLLIElement>(null);

  async function approve() {
    if (isBusy || onApprove === null) {
      return;
    }
    setBusy(true);
    // The button will be gone.
    row.current?.focus();
    await onApprove();
    setBusy(false);
  }

  const what = `${hours(sheet.hours)}, ${sheet.project}, ${sheet.owner_name}`;
  return (
    <li ref={row} id={`sheet-${sheet.id}`} className="row" tabIndex={-1}>
      <Avatar name={sheet.owner_name} />
      <div className="row-text">
        <h3>{sheet.project}</h3>
        <p className="quiet">
          {sheet.owner_name}
          {sheet.note && <> · {sheet.note}</>}
          {sheet.approved_by && <> · approved by {sheet.approved_by}</>}
        </p>
      </div>
      <p className="row-hours">{hours(sheet.hours)}</p>
      <p className={`pill ${sheet.status}`}>
        {sheet.status === "approved" ? <CheckIcon /> : <ClockIcon />}
        {sheet.status === "approved" ? "Approved" : "Waiting"}
      </p>
      <div className="row-actions">
        {onApprove && (
          <button
            type="button"
            className="button small"
            aria-disabled={isBusy}
            aria-label={`Approve ${what}`}
            onClick={() => void approve()}
          >
            Approve
          </button>
        )}
        {onDelete && (
          <button type="button" className="button small icon-button" aria-label={`Delete ${what}`} onClick={onDelete}>
            <TrashIcon />
          </button>
        )}
      </div>
    </li>
  );
}
