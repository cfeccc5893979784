import { CheckIcon, CrossIcon, UnknownIcon } from "../components/icons";
import { OPERATIONS, type Operation, type Permissions } from "./permissions";

const IN_WORDS: Record<Operation, string> = {
  read: "Read timesheets",
  create: "Add hours",
  delete: "Delete what is not approved",
  approve: "Approve the hours of others",
};

interface Props {
  /** null until the API has said. */
  permissions: Permissions | null;
  offersAll: boolean;
  onOfferAll: (offersAll: boolean) => void;
}

/** What the API said that the user may do, and a way to see it refuse the rest. */
export function PermissionsCard({ permissions, offersAll, onOfferAll }: Props) {
  return (
    <section className="card" aria-labelledby="permissions-title">
      <h2 id="permissions-title">What you may do</h2>
      <ul className="facts">
        {OPERATIONS.map((operation) => (
          <PermissionFact key={operation} operation={operation} isAllowed={permissions?.has(operation) ?? null} />
        ))}
      </ul>
      <label className="switch">
        <input type="checkbox" role="switch" checked={offersAll} onChange={(event) => onOfferAll(event.target.checked)} />
        <span>Offer everything, and see what the API refuses</span>
      </label>
    </section>
  );
}

function PermissionFact({ operation, isAllowed }: { operation: Operation; isAllowed: boolean | null }) {
  const icon = isAllowed ? <CheckIcon /> : isAllowed === null ? <UnknownIcon /> : <CrossIcon />;
  return (
    <li className={isAllowed ? "fact good" : "fact quiet"}>
      {icon}
      <span>{IN_WORDS[operation]}</span>
      <span className="visually-hidden">{isAllowed ? "allowed" : isAllowed === null ? "not known" : "not allowed"}</span>
    </li>
  );
}
