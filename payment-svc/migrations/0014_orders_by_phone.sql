-- A number is found by its end: whoever is asked for it leaves the country's code out, or writes it in another way.
CREATE INDEX orders_by_phone ON orders (reverse(phone_number) text_pattern_ops);
