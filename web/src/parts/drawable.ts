/** A mail without the styles that stand in it, and these apart. */
export function drawable(html: string): { markup: string; sheet: string } {
  const sheets: string[] = [];
  const bare = html.replace(/<style[^>]*>([\s\S]*?)<\/style>/gi, (_, text: string) => {
    sheets.push(text);
    return "";
  });
  return { markup: bare.replace(/(<[a-z][^>]*?\s)style="/gi, '$1data-style="'), sheet: sheets.join("\n") };
}
