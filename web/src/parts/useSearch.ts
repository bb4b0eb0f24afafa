import { useDebouncedValue } from "@mantine/hooks";
import { useSearchParams } from "react-router";

const QUIET_MS = 250;

/** What is searched for stands in the address: a list can be linked to, and comes back with it. */
export function useSearch<Name extends string>(...names: Name[]) {
  const [search, setSearch] = useSearchParams();
  const wish = Object.fromEntries(names.map((name) => [name, search.get(name) ?? ""])) as Record<
    Name,
    string
  >;
  const [settled] = useDebouncedValue(JSON.stringify(wish), QUIET_MS);
  function set(name: Name, value: string) {
    const change = (before: URLSearchParams) => {
      if (value) before.set(name, value);
      else before.delete(name);
      return before;
    };
    setSearch(change, { replace: true, preventScrollReset: true });
  }
  return { wish, set, settled: JSON.parse(settled) as Record<Name, string> };
}
