import type { UseFormReturnType } from "@mantine/form";
import { type QueryKey, useMutation, useQueryClient } from "@tanstack/react-query";
import { useRef } from "react";
import { newKey } from "../api/client";
import { Problem } from "../api/problem";

type Options<Input, Output> = {
  /** The key names one intent: it stays while the same is tried again. */
  send: (input: Input, key: string) => Promise<Output>;
  /** What is to be asked for anew. */
  changes?: QueryKey[];
  done?: (output: Output, input: Input) => void;
  /** Shows at its fields what is wrong with them. */
  // biome-ignore lint/suspicious/noExplicitAny: a form of any values
  form?: UseFormReturnType<any>;
};

/** Changes something at the gateway. `error` is what is not said at a field already. */
export function useSend<Input = void, Output = unknown>({
  send,
  changes,
  done,
  form,
}: Options<Input, Output>) {
  const known = useQueryClient();
  const intent = useRef({ input: "", key: "" });
  const mutation = useMutation({
    mutationFn: (input: Input) => {
      const text = JSON.stringify(input ?? null);
      if (intent.current.input !== text || !intent.current.key)
        intent.current = { input: text, key: newKey() };
      return send(input, intent.current.key);
    },
    onSuccess: async (output, input) => {
      intent.current = { input: "", key: "" };
      done?.(output, input);
      await Promise.all((changes ?? []).map((queryKey) => known.invalidateQueries({ queryKey })));
    },
    onError: (error) => form?.setErrors(fieldsOf(form, error)),
  });
  const isSaid = mutation.error && form && saysAll(form, mutation.error);
  return { ...mutation, error: isSaid ? null : mutation.error };
}

// biome-ignore lint/suspicious/noExplicitAny: a form of any values
function fieldsOf(form: UseFormReturnType<any>, error: unknown): Record<string, string> {
  const entries = Object.entries(Problem.of(error).fields);
  return Object.fromEntries(entries.filter(([field]) => field in form.getValues()));
}

// biome-ignore lint/suspicious/noExplicitAny: a form of any values
function saysAll(form: UseFormReturnType<any>, error: unknown): boolean {
  const all = Object.keys(Problem.of(error).fields).length;
  return all > 0 && Object.keys(fieldsOf(form, error)).length === all;
}
