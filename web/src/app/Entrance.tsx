import { Suspense } from "react";
import { Outlet } from "react-router";
import { Loading } from "../parts/Loading";

/** Around the pages that need nobody to be signed in. */
export function Entrance() {
  return (
    <main className="entrance">
      <p className="brand">Boxoffice</p>
      <Suspense fallback={<Loading />}>
        <Outlet />
      </Suspense>
    </main>
  );
}
