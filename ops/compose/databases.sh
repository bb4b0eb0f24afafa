#!/bin/bash
# Run by the image of PostgreSQL when its folder is empty: a role and a database per service, and no
# service may open another's.
set -euo pipefail
for database in users tickets payments notifications; do
    psql --username "$POSTGRES_USER" --dbname postgres --set ON_ERROR_STOP=1 \
        --set name="$database" --set password="$(cat "/run/secrets/postgres.$database")" <<'SQL'
CREATE ROLE :"name" LOGIN PASSWORD :'password';
CREATE DATABASE :"name" OWNER :"name";
REVOKE CONNECT, TEMPORARY ON DATABASE :"name" FROM PUBLIC;
SQL
done
