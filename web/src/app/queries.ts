import { QueryClient } from "@tanstack/react-query";
import { Problem } from "../api/problem";

export const queries = new QueryClient({
  defaultOptions: {
    queries: {
      // What cannot be reached is said, instead of waited for.
      networkMode: "always",
      staleTime: 5_000,
      retry: (count, error) => count < 2 && Problem.of(error).passes,
    },
    mutations: { networkMode: "always", retry: false },
  },
});
