-- A limit per customer counts what the customer has been given; few holds name one.
create index holds_of_customers on ledger.holds ((beneficiary::json ->> 'customer_ref'), sku_id)
    where beneficiary is not null;
