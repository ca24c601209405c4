# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: dataplatform.monitoring contributors

# One row a second or so, read back by the index; a day's rows are kept. Every fiftieth transaction is rolled back.
trap 'exit 0' TERM
while :; do
    psql --username=postgres --dbname=platform --no-psqlrc --quiet --output=/dev/null <<'SQL' 2>&1 || echo "PostgreSQL does not answer"
BEGIN;
INSERT INTO events (payload) SELECT repeat(md5(random()::text), 8);
SELECT count(*) FROM events WHERE at > now() - interval '1 minute';
SELECT random() < 0.02 AS undo \gset
\if :undo
ROLLBACK;
\else
COMMIT;
\endif
DELETE FROM events WHERE at < now() - interval '1 day';
SQL
    sleep 2 &
    wait $!
done
