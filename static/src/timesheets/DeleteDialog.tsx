import { Dialog } from "../components/Dialog";
import type { Timesheet } from "./api";
import { dayName, hours } from "./format";

interface Props {
  sheet: Timesheet;
  onDelete: () => void;
  onCancel: () => void;
}

export function DeleteDialog({ sheet, onDelete, onCancel }: Props) {
  return (
    <Dialog title="Delete this timesheet?" role="alertdialog" onCancel={onCancel}>
      <p>
        {hours(sheet.hours)} on {sheet.project}, {dayName(sheet.day)}, by {sheet.owner_name}. This cannot be undone.
      </p>
      <div className="dialog-actions">
        <button type="button" className="button" onClick={onCancel}>
          Keep it
        </button>
        <button type="button" className="button danger" onClick={onDelete}>
          Delete
        </button>
      </div>
    </Dialog>
  );
}
