import { expect, test } from "vitest";
import { drawable } from "./drawable";

test("styles are taken out, and the words stay", () => {
  const html =
    '<head><style type="text/css">p { color: red }</style></head><p class="a" style="margin:0">my style="x"</p>';
  expect(drawable(html)).toEqual({
    markup: '<head></head><p class="a" data-style="margin:0">my style="x"</p>',
    sheet: "p { color: red }",
  });
});
