-- 100,000 users, 1,000 organisations, two roles for each user; :users and :orgs say how many. For PostgreSQL, on a schema
-- that Denizen has migrated. Ids come from the numbers, so that every run and every peer works on the same rows.
\set ON_ERROR_STOP on
BEGIN;
CREATE FUNCTION pg_temp.named(kind int, number bigint) RETURNS uuid IMMUTABLE LANGUAGE sql AS
  $$ SELECT (lpad(to_hex(kind), 8, '0') || '00007000' || '8000' || lpad(to_hex(number), 12, '0'))::uuid $$;

INSERT INTO organizations (id, code, code_key, name, description, active, listed, self_registration, created_at, updated_at)
SELECT pg_temp.named(1, n), 'org-' || n, 'org-' || n, 'Organisation ' || n, NULL, true, n % 2 = 0, false, 1767225600000 + n, 1767225600000 + n
FROM generate_series(1, :orgs) n;

INSERT INTO users (id, user_name, user_name_key, name, given_name, family_name, status, email, email_key, email_verified_at,
                   created_at, updated_at)
SELECT pg_temp.named(2, n), 'user' || n, 'user' || n, 'Given' || n || ' Family' || n % 5000, 'Given' || n, 'Family' || n % 5000,
       'ACTIVE', 'user' || n || '@example.org', 'user' || n || '@example.org', 1767225600000 + n, 1767225600000 + n, 1767225600000 + n
FROM generate_series(1, :users) n;

INSERT INTO registrations (user_id, application_id, created_at)
SELECT pg_temp.named(2, n), (SELECT id FROM applications WHERE is_default), 1767225600000 + n FROM generate_series(1, :users) n;

INSERT INTO memberships (id, organization_id, user_id, is_primary, joined_at)
SELECT pg_temp.named(3, n), pg_temp.named(1, n % :orgs + 1), pg_temp.named(2, n), true, 1767225600000 + n
FROM generate_series(1, :users) n;

INSERT INTO grants (id, user_id, role_id, organization_id, created_at)
SELECT pg_temp.named(CASE WHEN r.code = 'MEMBER' THEN 4 ELSE 5 END, n), pg_temp.named(2, n), r.id, pg_temp.named(1, n % :orgs + 1), 1767225600000 + n
FROM generate_series(1, :users) n
JOIN roles r ON r.code = 'MEMBER' OR r.code = (ARRAY['TRANSLATOR', 'ANNOTATOR', 'REVIEWER', 'SCHOLAR'])[n % 4 + 1];
COMMIT;
-- What autovacuum does soon after an import; here it is switched off, so that it disturbs no round.
VACUUM (ANALYZE);
