import { Button } from "@mantine/core";
import type { FormEventHandler, ReactNode } from "react";
import { ProblemNotice } from "../../../parts/Notice";

type Props = {
  /** On the button that does it. */
  label: string;
  /** What will happen, and what is to be filled in. */
  children: ReactNode;
  close: () => void;
  onSubmit: FormEventHandler<HTMLFormElement>;
  sending: { error: unknown; isPending: boolean };
  isDanger?: boolean;
  isBlocked?: boolean;
};

/** The consequences of a step, and the buttons to take it or not. */
export function Decide({ label, children, close, onSubmit, sending, isDanger, isBlocked }: Props) {
  return (
    <form className="stack" onSubmit={onSubmit}>
      {children}
      <ProblemNotice error={sending.error} />
      <div className="actions">
        <Button
          type="submit"
          {...(isDanger && { color: "red" })}
          loading={sending.isPending}
          disabled={isBlocked ?? false}
        >
          {label}
        </Button>
        <Button variant="default" onClick={close}>
          Leave it as it is
        </Button>
      </div>
    </form>
  );
}
