import { Button, Radio, Textarea } from "@mantine/core";
import { useForm } from "@mantine/form";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { api, type Schema, take } from "../../api/client";
import { Dialog } from "../../parts/Dialog";
import { Notice, ProblemNotice } from "../../parts/Notice";
import { Section } from "../../parts/Page";
import { type Column, Table } from "../../parts/Table";
import { useSend } from "../../parts/useSend";
import { figure } from "../../words/event";
import { ago } from "../../words/time";

type Halted = Schema["HaltedPool"];

/** Stock whose books disagree. It is not sold until a person has said which is right. Mostly there is none. */
export function HaltedPools() {
  const [chosen, choose] = useState<Halted>();
  const halted = useQuery({
    queryKey: ["halted"],
    queryFn: () => take(api.GET("/api/v1/admin/halted-pools")),
    refetchInterval: 10_000,
  });
  const columns: Column<Halted>[] = [
    { name: "Concert", cell: ({ event_title }) => event_title },
    { name: "Stock", cell: ({ name, categories }) => name || categories.join(", ") },
    { name: "Since", cell: ({ halted_at }) => ago(halted_at) },
    { name: "Counters say", cell: ({ counters }) => units(counters) },
    { name: "Ledger says", cell: ({ ledger }) => units(ledger) },
    {
      name: "",
      cell: (pool) => (
        <Button size="xs" variant="default" onClick={() => choose(pool)}>
          Decide
        </Button>
      ),
    },
  ];
  const pools = halted.data?.pools ?? [];
  if (halted.isError) return <ProblemNotice error={halted.error} retry={halted.refetch} />;
  if (!pools.length) return null;
  return (
    <Section title="Interrupted sales">
      <Table label="Interrupted sales" rows={pools} columns={columns} keyOf={({ id }) => id} />
      <Dialog opened={!!chosen} onClose={() => choose(undefined)} title="Sell it again">
        {chosen && <Resume pool={chosen} close={() => choose(undefined)} />}
      </Dialog>
    </Section>
  );
}

function units({ sold, held, blocked }: Schema["PoolUnits"]): string {
  return `${figure(sold)} sold, ${figure(held)} held, ${figure(blocked)} blocked`;
}

function Resume({ pool, close }: { pool: Halted; close: () => void }) {
  const form = useForm<Schema["Resumption"]>({ initialValues: { believe: "ledger", note: "" } });
  const resume = useSend({
    send: (body: Schema["Resumption"]) =>
      take(api.POST("/api/v1/admin/pools/{id}/resume", { params: { path: { id: pool.id } }, body })),
    changes: [["halted"]],
    form,
    done: close,
  });
  return (
    <form className="stack" onSubmit={form.onSubmit((values) => resume.mutate(values))}>
      <Notice kind="warning">{pool.reason}</Notice>
      <ProblemNotice error={resume.error} />
      <Radio.Group label="Which is right?" {...form.getInputProps("believe")}>
        <div className="stack">
          <Radio value="ledger" label={`The ledger: ${units(pool.ledger)}`} />
          <Radio value="counters" label={`The counters: ${units(pool.counters)}`} />
        </div>
      </Radio.Group>
      <Textarea label="Why" description="For the record." required autosize {...form.getInputProps("note")} />
      <Button type="submit" loading={resume.isPending}>
        Sell it again
      </Button>
    </form>
  );
}
