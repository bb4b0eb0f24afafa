import { Button, Select, TextInput } from "@mantine/core";
import { PERIODS, type Wish } from "./pieces";

const BUCKETS = [
  { value: "", label: "As fits" },
  { value: "hour", label: "Hours" },
  { value: "day", label: "Days" },
  { value: "week", label: "Weeks" },
  { value: "month", label: "Months" },
];

type Props = { wish: Wish; set: (name: keyof Wish, value: string) => void; csv: string };

/** Which days, in which pieces; and the same figures as a file. */
export function ChoosePeriod({ wish, set, csv }: Props) {
  return (
    <search className="search" aria-label="Period">
      <Select
        label="Period"
        data={PERIODS.map(({ value, label }) => ({ value, label }))}
        value={wish.period || "30"}
        allowDeselect={false}
        onChange={(value) => set("period", value ?? "")}
      />
      {wish.period === "own" &&
        (["from", "to"] as const).map((name) => (
          <TextInput
            key={name}
            type="date"
            label={name === "from" ? "From" : "To"}
            value={wish[name]}
            onChange={(event) => set(name, event.currentTarget.value)}
          />
        ))}
      <Select
        label="In pieces of"
        data={BUCKETS}
        value={wish.bucket}
        allowDeselect={false}
        onChange={(value) => set("bucket", value ?? "")}
      />
      <Button component="a" href={csv} download variant="default" className="bottom">
        Download CSV
      </Button>
    </search>
  );
}
