import { Select, Textarea, TextInput } from "@mantine/core";
import type { UseFormReturnType } from "@mantine/form";
import { zones } from "../words/time";

export type EventValues = {
  title: string;
  location: string;
  description: string;
  /** On the clocks of `timezone`. */
  date_time: string;
  timezone: string;
};

export const SKIPPED_TIME = "Clocks do not show this time on that day.";

/** What a concert is, when and where. */
export function EventFields({ form }: { form: UseFormReturnType<EventValues> }) {
  return (
    <>
      <TextInput label="Title" required maxLength={200} {...form.getInputProps("title")} />
      <TextInput label="Place" required maxLength={200} {...form.getInputProps("location")} />
      <div className="fields">
        <TextInput
          label="Date and time"
          description="On the clocks of the place."
          type="datetime-local"
          required
          {...form.getInputProps("date_time")}
        />
        <Select
          label="Time zone"
          description="Of the place."
          data={zones()}
          searchable
          required
          allowDeselect={false}
          limit={50}
          {...form.getInputProps("timezone")}
        />
      </div>
      <Textarea
        label="Description"
        description="What guests read below the title. Blank lines make paragraphs."
        autosize
        minRows={4}
        maxLength={10_000}
        {...form.getInputProps("description")}
      />
    </>
  );
}
