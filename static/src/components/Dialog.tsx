import { type ReactNode, useId, useLayoutEffect, useRef } from "react";

interface Props {
  title: string;
  /** Escape was pressed. */
  onCancel: () => void;
  role?: "dialog" | "alertdialog";
  children: ReactNode;
}

/** A modal dialog; the browser keeps the focus inside and puts it back afterwards. */
export function Dialog({ title, onCancel, role = "dialog", children }: Props) {
  const dialog = useRef<HTMLDialogElement>(null);
  const titleId = useId();
  const textId = useId();
  // Closed before it is taken out of the document, for only then does the focus go back.
  useLayoutEffect(() => {
    const element = dialog.current;
    element?.showModal();
    return () => element?.close();
  }, []);
  return (
    <dialog
      ref={dialog}
      className="dialog"
      role={role}
      aria-labelledby={titleId}
      aria-describedby={role === "alertdialog" ? textId : undefined}
      onCancel={(event) => {
        event.preventDefault();
        onCancel();
      }}
      onClose={(event) => {
        // Some browsers do not ask a second time.
        if (!event.currentTarget.open) {
          onCancel();
        }
      }}
    >
      <h2 id={titleId}>{title}</h2>
      <div id={textId}>{children}</div>
    </dialog>
  );
}
