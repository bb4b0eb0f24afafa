import { createBrowserRouter } from "react-router";
import { Loading } from "../parts/Loading";
import { Broken } from "./Broken";
import { Entrance } from "./Entrance";
import { NoSuchPage } from "./NoSuchPage";
import { Shell } from "./Shell";

/** Every page is a file of its own, and loaded when it is opened. */
export const router = createBrowserRouter(
  [
    {
      errorElement: <Broken />,
      hydrateFallbackElement: <Loading />,
      children: [
        {
          element: <Entrance />,
          children: [
            { path: "setup", lazy: () => import("../pages/Setup") },
            { path: "login", lazy: () => import("../pages/Login") },
            { path: "invitation", lazy: () => import("../pages/Invitation") },
            { path: "request-account", lazy: () => import("../pages/RequestAccount") },
            { path: "forgot-password", lazy: () => import("../pages/ForgotPassword") },
            { path: "password-reset", lazy: () => import("../pages/ResetPassword") },
          ],
        },
        {
          element: <Shell />,
          children: [
            { index: true, lazy: () => import("../pages/Programme") },
            { path: "events/new", lazy: () => import("../pages/NewEvent") },
            {
              path: "events/:eventId",
              lazy: () => import("../pages/event/Event"),
              children: [
                { index: true, lazy: () => import("../pages/event/Sales") },
                { path: "insights", lazy: () => import("../pages/event/Insights") },
                { path: "details", lazy: () => import("../pages/event/Details") },
                { path: "tickets", lazy: () => import("../pages/event/Tickets") },
                { path: "terms", lazy: () => import("../pages/event/Terms") },
                { path: "people", lazy: () => import("../pages/event/Grants") },
              ],
            },
            { path: "insights", lazy: () => import("../pages/Insights") },
            { path: "orders", lazy: () => import("../pages/Orders") },
            { path: "orders/:orderId", lazy: () => import("../pages/order/Order") },
            { path: "mails", lazy: () => import("../pages/Mails") },
            { path: "templates", lazy: () => import("../pages/Templates") },
            { path: "templates/:kind/:language", lazy: () => import("../pages/templates/Template") },
            { path: "people", lazy: () => import("../pages/People") },
            { path: "record", lazy: () => import("../pages/Record") },
            { path: "health", lazy: () => import("../pages/Health") },
            { path: "account", lazy: () => import("../pages/account/Account") },
          ],
        },
        { path: "*", element: <NoSuchPage /> },
      ],
    },
  ],
  { basename: "/admin" },
);
