-- SPDX-License-Identifier: GPL-3.0-or-later
-- SPDX-FileCopyrightText: dataplatform.monitoring contributors

CREATE TABLE events (id bigserial PRIMARY KEY, at timestamptz NOT NULL DEFAULT now(), payload text NOT NULL);
CREATE INDEX ON events (at);
