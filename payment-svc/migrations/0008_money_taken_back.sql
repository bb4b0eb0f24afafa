-- Money that had been paid out may come back: the guest's bank would not take it. Its refund fails for
-- good then, and the order goes back to what its money says.

--   requested ──► submitted ──► succeeded ──► failed_final (the provider took it back)
--                  ▲    │ └───► failed_final ──► succeeded (a person paid it out)
--                  │    ▼          │
--                  └─ failed ◄─────┘ (an admin has it tried again)     external ──► failed_final
ALTER TABLE refunds
    -- When the money left for the first time: its guest was told then.
    ADD COLUMN paid_out_at timestamptz;
UPDATE refunds SET paid_out_at = ended_at WHERE status IN ('succeeded', 'external');

-- What a person has to know of an order and no state of it says. `needs_attention` is made of these,
-- of the order's refunds and of its status, by one statement.
ALTER TABLE orders ADD COLUMN notes text[] NOT NULL DEFAULT '{}';
UPDATE orders SET notes = ARRAY[needs_attention]
WHERE needs_attention IS NOT NULL AND needs_attention NOT LIKE 'Refund %' AND status <> 'mismatch';

-- An order is fulfilled once, from paid, and may come back to it from refunded.
CREATE OR REPLACE VIEW order_sales AS
SELECT o.id AS order_id, o.event_id, e.at, o.currency, o.payment_ref,
       o.total_amount_minor           AS total_minor,
       sum(l.tax_minor)::bigint       AS tax_minor,
       -- The tax of the fee is tax.
       sum(l.fee_minor - l.fee_tax_minor)::bigint AS fee_minor,
       EXISTS (SELECT FROM order_events m
               WHERE m.order_id = o.id AND m.from_status = 'mismatch' AND m.to_status = 'paid') AS accepted
FROM orders o
JOIN order_events e ON e.order_id = o.id AND e.to_status = 'fulfilled' AND e.from_status = 'paid'
JOIN order_lines l ON l.order_id = o.id
WHERE o.total_amount_minor > 0
GROUP BY o.id, e.id;
