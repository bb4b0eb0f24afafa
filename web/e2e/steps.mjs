// What the tests do on pages.

/** A heading with this name is there. */
export const heading = (page, name) => page.getByRole("heading", { name }).first().waitFor();

export const press = (page, name) => page.getByRole("button", { name, exact: true }).click();

/** One of the pages of the frame. */
export const go = (page, name) =>
  page.getByRole("navigation", { name: "Pages" }).getByRole("link", { name, exact: true }).click();

/** One of the parts of a concert. */
export const part = (page, name) =>
  page.getByRole("navigation", { name: "Parts" }).getByRole("link", { name }).click();

/** Something behind the button “More”. */
export async function more(page, name) {
  await press(page, "More");
  await page.getByRole("menuitem", { name }).click();
  return page.getByRole("dialog");
}

/** In the dialog that is open. */
export async function decide(page, label) {
  const dialog = page.getByRole("dialog");
  await dialog.getByRole("button", { name: label, exact: true }).click();
  await dialog.waitFor({ state: "hidden" });
}
