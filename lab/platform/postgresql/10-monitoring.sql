-- SPDX-License-Identifier: GPL-3.0-or-later
-- SPDX-FileCopyrightText: dataplatform.monitoring contributors

-- What the exporter logs in as: it may read statistics and settings, and no table.
\set password `cat /run/secrets/monitoring/password`
CREATE ROLE monitoring LOGIN CONNECTION LIMIT 10 PASSWORD :'password';
GRANT pg_monitor TO monitoring;
