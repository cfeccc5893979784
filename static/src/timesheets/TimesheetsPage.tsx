import { useEffect, useRef, useState } from "react";
import { type Problem, asProblem } from "../bff/problem";
import { BrowserHolds } from "../components/BrowserHolds";
import type { SignedIn } from "../components/Header";
import { PlusIcon } from "../components/icons";
import { ProblemBanner } from "../components/ProblemBanner";
import { showTarget, usePlace } from "../place";
import { AddDialog } from "./AddDialog";
import { type NewTimesheet, type Timesheet, addTimesheet, approveTimesheet, deleteTimesheet } from "./api";
import { DeleteDialog } from "./DeleteDialog";
import { Filter, filterOf, matching } from "./Filter";
import { hours } from "./format";
import { PermissionsCard } from "./PermissionsCard";
import { NO_PERMISSIONS, canApprove, canDelete } from "./permissions";
import { TimesheetList } from "./TimesheetList";
import { useTimesheets } from "./useTimesheets";

/** The application proper. */
export function TimesheetsPage({ session }: { session: SignedIn }) {
  const { sheets, permissions, problem: listProblem, reload } = useTimesheets();
  const [problem, setProblem] = useState<Problem | null>(null);
  const [done, setDone] = useState("");
  const [isAdding, setAdding] = useState(false);
  const [deleting, setDeleting] = useState<Timesheet | null>(null);
  const [offersAll, setOffersAll] = useState(false);
  const heading = useRef<HTMLHeadingElement>(null);
  const filter = filterOf(usePlace());
  const known = permissions ?? NO_PERMISSIONS;

  const isLoaded = sheets !== null;
  useEffect(() => {
    if (isLoaded) {
      showTarget();
    }
  }, [isLoaded]);
  useEffect(() => {
    // What was focused may be gone with its timesheet; a keyboard needs somewhere to go on from.
    if (done !== "" && document.activeElement === document.body) {
      heading.current?.focus({ preventScroll: true });
    }
  }, [done, sheets]);

  async function attempt(action: () => Promise<unknown>, success: string) {
    setProblem(null);
    setDone("");
    try {
      await action();
      setDone(success);
    } catch (thrown) {
      setProblem(asProblem(thrown));
    }
    // After a failure too: somebody else may have been faster.
    await reload();
  }

  async function add(wish: NewTimesheet) {
    setDone("");
    await addTimesheet(wish);
    setAdding(false);
    setProblem(null);
    setDone(`Added ${hours(wish.hours)} on ${wish.project}.`);
    await reload();
  }

  const shown = matching(sheets ?? [], filter);
  const shownProblem = problem ?? listProblem;
  return (
    <div className="columns">
      <section className="sheets" aria-labelledby="sheets-title" aria-busy={!isLoaded}>
        <div className="title-bar">
          <h1 id="sheets-title" ref={heading} tabIndex={-1}>
            Timesheets
          </h1>
          {(offersAll || known.has("create")) && (
            <button type="button" className="button primary" onClick={() => setAdding(true)}>
              <PlusIcon /> Add hours
            </button>
          )}
        </div>
        {shownProblem && (
          <ProblemBanner
            problem={shownProblem}
            onRetry={() => (setProblem(null), void reload())}
            {...(problem && { onClose: () => setProblem(null) })}
          />
        )}
        {sheets && sheets.length > 0 && <Filter current={filter} sheets={sheets} />}
        <TimesheetList
          sheets={isLoaded ? shown : null}
          isRefused={listProblem !== null}
          mayApprove={(sheet) => offersAll || canApprove(known, sheet, session.claims.sub)}
          mayDelete={(sheet) => offersAll || canDelete(known, sheet)}
          onApprove={(sheet) =>
            attempt(() => approveTimesheet(sheet.id), `Approved ${hours(sheet.hours)} for ${sheet.owner_name}.`)
          }
          onDelete={setDeleting}
        />
      </section>
      <aside className="side" aria-label="Access and security">
        <PermissionsCard permissions={permissions} offersAll={offersAll} onOfferAll={setOffersAll} />
        <BrowserHolds />
      </aside>
      {isAdding && <AddDialog onAdd={add} onCancel={() => setAdding(false)} />}
      {deleting && (
        <DeleteDialog
          sheet={deleting}
          onCancel={() => setDeleting(null)}
          onDelete={() => {
            setDeleting(null);
            void attempt(() => deleteTimesheet(deleting.id), `Deleted ${hours(deleting.hours)} on ${deleting.project}.`);
          }}
        />
      )}
      <p className="toast" role="status">
        {done}
      </p>
    </div>
  );
}
