import type { UseFormReturnType } from "@mantine/form";
import { useSend } from "../../../parts/useSend";
import { eventKey } from "../useEvent";

type Step<Input> = {
  event: { id: string };
  send: (input: Input, key: string) => Promise<unknown>;
  done: () => void;
  // biome-ignore lint/suspicious/noExplicitAny: a form of any values
  form?: UseFormReturnType<any>;
};

/** A step that changes the concert, and so what its pages and the programme show. */
export function useStep<Input = void>({ event, send, done, form }: Step<Input>) {
  return useSend<Input>({
    send,
    changes: [eventKey(event.id), ["events"], ["pools", event.id]],
    done,
    ...(form && { form }),
  });
}
