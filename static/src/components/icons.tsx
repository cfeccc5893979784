/** Drawn in the colour of the text around them; what they mean is said in words beside them. */
function Icon({ path }: { path: string }) {
  return (
    <svg className="icon" viewBox="0 0 20 20" aria-hidden="true" focusable="false">
      <path d={path} />
    </svg>
  );
}

export const CheckIcon = () => <Icon path="M4 10.5l4 4 8-9" />;
export const CrossIcon = () => <Icon path="M5 5l10 10M15 5L5 15" />;
export const UnknownIcon = () => <Icon path="M5 10h.1M10 10h.1M15 10h.1" />;
export const PlusIcon = () => <Icon path="M10 4v12M4 10h12" />;
export const TrashIcon = () => <Icon path="M3.5 5.5h13M8 5.5V3.5h4v2M5.5 5.5l.8 11h7.4l.8-11M8.5 9v4.5M11.5 9v4.5" />;
export const ClockIcon = () => <Icon path="M10 3a7 7 0 100 14 7 7 0 000-14M10 6.5V10l2.5 2" />;
export const AlertIcon = () => <Icon path="M10 3l7.5 13.5h-15zM10 8v4M10 14.2v.3" />;
export const ShieldIcon = () => <Icon path="M10 2.5l6 2.2v4.8c0 3.6-2.4 6.6-6 8-3.6-1.4-6-4.4-6-8V4.7zM7.2 10l2 2 3.6-4" />;
export const ChevronIcon = () => <Icon path="M6 8l4 4 4-4" />;

export function Logo() {
  return (
    <svg className="logo" viewBox="0 0 32 32" aria-hidden="true" focusable="false">
      <rect width="32" height="32" rx="8" />
      <path d="M16 7a9 9 0 100 18 9 9 0 000-18M16 10.5V16l3.5 2.5" />
    </svg>
  );
}
