import { Button } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import type { ReactNode } from "react";
import { Dialog } from "./Dialog";
import { ProblemNotice } from "./Notice";
import { useSend } from "./useSend";

type Props = {
  /** On the button that asks, and on the one that does it. */
  label: string;
  title: string;
  /** What will happen. */
  children: ReactNode;
  act: (key: string) => Promise<unknown>;
  changes?: string[][];
  done?: () => void;
  isDanger?: boolean;
  size?: string;
};

/** A button that asks once more, and says what it does. */
export function Confirm({ label, title, children, act, changes, done, isDanger, size }: Props) {
  const [open, { open: ask, close }] = useDisclosure();
  const send = useSend({
    send: (_: undefined, key) => act(key),
    ...(changes && { changes }),
    done: () => {
      close();
      done?.();
    },
  });
  return (
    <>
      <Button variant="default" onClick={ask} {...(size && { size })}>
        {label}
      </Button>
      <Dialog opened={open} onClose={close} title={title}>
        <div className="stack">
          <div>{children}</div>
          <ProblemNotice error={send.error} />
          <div className="actions">
            <Button
              {...(isDanger && { color: "red" })}
              loading={send.isPending}
              onClick={() => send.mutate(undefined)}
            >
              {label}
            </Button>
            <Button variant="default" onClick={close}>
              Leave it as it is
            </Button>
          </div>
        </div>
      </Dialog>
    </>
  );
}
