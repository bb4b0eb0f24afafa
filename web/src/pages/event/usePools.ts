import { useQuery } from "@tanstack/react-query";
import { api, take } from "../../api/client";

/** The stock that ticket types of a concert share. */
export function usePools(id: string, refetchInterval: number | false = false) {
  return useQuery({
    queryKey: ["pools", id],
    queryFn: () => take(api.GET("/api/v1/admin/events/{id}/pools", { params: { path: { id } } })),
    refetchInterval,
  });
}
