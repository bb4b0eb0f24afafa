import { Button } from "@mantine/core";
import { Notice } from "../parts/Notice";

/** A page that could not be loaded (another version is running by now) or that failed. */
export function Broken() {
  return (
    <main className="entrance">
      <Notice kind="error" title="This page could not be shown">
        A newer version may be running by now. Loading the page again usually helps.
      </Notice>
      <Button onClick={() => window.location.reload()}>Load again</Button>
    </main>
  );
}
