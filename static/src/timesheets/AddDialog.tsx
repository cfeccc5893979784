import { type SubmitEvent, useState } from "react";
import { type Problem, asProblem } from "../bff/problem";
import { Dialog } from "../components/Dialog";
import { ProblemBanner } from "../components/ProblemBanner";
import type { NewTimesheet } from "./api";
import { today } from "./format";

interface Props {
  /** Raises `Problem` if it failed; what was typed is still there then. */
  onAdd: (wish: NewTimesheet) => Promise<void>;
  onCancel: () => void;
}

export function AddDialog({ onAdd, onCancel }: Props) {
  const [problem, setProblem] = useState<Problem | null>(null);
  const [isBusy, setBusy] = useState(false);

  async function submit(event: SubmitEvent<HTMLFormElement>) {
    event.preventDefault();
    if (isBusy) {
      return;
    }
    const fields = new FormData(event.currentTarget);
    const field = (name: string) => String(fields.get(name));
    setBusy(true);
    setProblem(null);
    try {
      await onAdd({
        day: field("day"),
        project: field("project"),
        hours: Number(field("hours")),
        note: field("note"),
      });
    } catch (thrown) {
      setProblem(asProblem(thrown));
      setBusy(false);
    }
  }

  return (
    <Dialog title="Add hours" onCancel={onCancel}>
      <form className="form" onSubmit={(event) => void submit(event)}>
        {problem && <ProblemBanner problem={problem} />}
        <label className="field">
          Project
          <input name="project" maxLength={80} required autoComplete="off" />
        </label>
        <div className="field-pair">
          <label className="field">
            Day
            <input name="day" type="date" defaultValue={today()} required />
          </label>
          <label className="field">
            Hours
            <input name="hours" type="number" inputMode="decimal" min="0.25" max="24" step="0.25" defaultValue="7.5" required />
          </label>
        </div>
        <label className="field">
          Note <span className="optional">(optional)</span>
          <input name="note" maxLength={400} autoComplete="off" />
        </label>
        <div className="dialog-actions">
          <button type="submit" className="button primary" aria-disabled={isBusy}>
            Add
          </button>
          <button type="button" className="button" onClick={onCancel}>
            Cancel
          </button>
        </div>
      </form>
    </Dialog>
  );
}
