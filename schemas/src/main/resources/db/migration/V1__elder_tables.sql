-- Elder's tables as its current release creates them, for a database where they are missing. A table that exists is left
-- as it is, whichever of the three shapes it has. Elder's own start adds the tables that are not here.
SET LOCAL search_path TO public;
SET LOCAL lock_timeout TO '10s';

DO $types$
BEGIN
    -- A database made by Elder's own migrations has text where the current release has these types.
    IF to_regclass('public.identities') IS NULL THEN
        IF to_regtype('public.authprovider') IS NULL THEN
            CREATE TYPE authprovider AS ENUM ('LOCAL', 'SAML', 'OAUTH2', 'LDAP');
        END IF;
        IF to_regtype('public.identitytype') IS NULL THEN
            CREATE TYPE identitytype AS ENUM ('HUMAN', 'SERVICE_ACCOUNT', 'EMPLOYEE', 'VENDOR', 'BOT', 'SERVICE_ACCOUNT_PYDAL', 'INTEGRATION', 'OTHER_HUMAN', 'OTHER');
        END IF;
    END IF;
END
$types$;

DO $table$
BEGIN
    IF to_regclass('public.tenants') IS NULL THEN
        CREATE TABLE tenants (
            name                varchar(255) NOT NULL,
            slug                varchar(100) NOT NULL,
            domain              varchar(255),
            subscription_tier   varchar(50),
            license_key         varchar(255),
            settings            json,
            feature_flags       json,
            data_retention_days integer,
            storage_quota_gb    integer,
            is_active           boolean      NOT NULL,
            village_id          varchar(32),
            id                  serial       PRIMARY KEY,
            created_at          timestamptz,
            updated_at          timestamptz,
            CONSTRAINT tenants_slug_key UNIQUE (slug),
            CONSTRAINT tenants_village_id_key UNIQUE (village_id)
        );
    END IF;
END
$table$;

DO $table$
BEGIN
    IF to_regclass('public.portal_users') IS NULL THEN
        CREATE TABLE portal_users (
            tenant_id             integer      NOT NULL,
            email                 varchar(255) NOT NULL,
            password_hash         varchar(255),
            mfa_secret            varchar(255),
            mfa_backup_codes      json,
            global_role           varchar(50),
            tenant_role           varchar(50),
            full_name             varchar(255),
            is_active             boolean      NOT NULL,
            email_verified        boolean      NOT NULL,
            last_login_at         timestamptz,
            failed_login_attempts integer,
            locked_until          timestamptz,
            password_changed_at   timestamptz,
            id                    serial       PRIMARY KEY,
            created_at            timestamptz,
            updated_at            timestamptz,
            CONSTRAINT portal_users_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenants(id)
        );
    END IF;
END
$table$;

DO $table$
BEGIN
    IF to_regclass('public.identities') IS NULL THEN
        CREATE TABLE identities (
            tenant_id            integer      NOT NULL,
            identity_type        identitytype NOT NULL,
            username             varchar(255) NOT NULL,
            email                varchar(255),
            full_name            varchar(255),
            auth_provider        authprovider NOT NULL,
            auth_provider_id     varchar(255),
            password_hash        varchar(255),
            is_active            boolean      NOT NULL,
            is_superuser         boolean      NOT NULL,
            mfa_enabled          boolean      NOT NULL,
            mfa_secret           varchar(255),
            must_change_password boolean      NOT NULL,
            organization_id      integer,
            portal_role          varchar(20)  NOT NULL,
            village_id           varchar(32),
            last_login_at        varchar(255),
            id                   serial       PRIMARY KEY,
            created_at           timestamptz,
            updated_at           timestamptz,
            CONSTRAINT identities_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenants(id) ON DELETE CASCADE
        );
        CREATE INDEX ix_identities_auth_provider ON identities (auth_provider);
        CREATE INDEX ix_identities_auth_provider_id ON identities (auth_provider_id);
        CREATE INDEX ix_identities_email ON identities (email);
        CREATE INDEX ix_identities_identity_type ON identities (identity_type);
        CREATE INDEX ix_identities_is_active ON identities (is_active);
        CREATE INDEX ix_identities_organization_id ON identities (organization_id);
        CREATE INDEX ix_identities_tenant_id ON identities (tenant_id);
        CREATE UNIQUE INDEX ix_identities_username ON identities (username);
        CREATE UNIQUE INDEX ix_identities_village_id ON identities (village_id);
    END IF;
END
$table$;

DO $table$
BEGIN
    IF to_regclass('public.identity_groups') IS NULL THEN
        CREATE TABLE identity_groups (
            name                   varchar(255) NOT NULL,
            description            varchar(512),
            ldap_dn                varchar(512),
            saml_group             varchar(255),
            is_active              boolean      NOT NULL,
            owner_identity_id      integer,
            owner_group_id         integer,
            approval_mode          varchar(20),
            approval_threshold     integer,
            provider               varchar(50),
            provider_group_id      varchar(512),
            sync_enabled           boolean,
            review_enabled         boolean      NOT NULL,
            review_interval_days   integer,
            last_review_date       varchar(255),
            next_review_date       varchar(255),
            review_assignment_mode varchar(20),
            review_due_days        integer,
            review_auto_apply      boolean      NOT NULL,
            id                     serial       PRIMARY KEY,
            created_at             timestamptz,
            updated_at             timestamptz
        );
        CREATE INDEX ix_identity_groups_ldap_dn ON identity_groups (ldap_dn);
        CREATE UNIQUE INDEX ix_identity_groups_name ON identity_groups (name);
        CREATE INDEX ix_identity_groups_saml_group ON identity_groups (saml_group);
    END IF;
END
$table$;

DO $table$
BEGIN
    IF to_regclass('public.identity_group_memberships') IS NULL THEN
        CREATE TABLE identity_group_memberships (
            identity_id            integer      NOT NULL,
            group_id               integer      NOT NULL,
            expires_at             varchar(255),
            granted_via_request_id integer,
            provider_synced        boolean,
            provider_synced_at     varchar(255),
            provider_member_id     varchar(512),
            id                     serial       PRIMARY KEY,
            created_at             timestamptz,
            updated_at             timestamptz,
            CONSTRAINT identity_group_memberships_group_id_fkey FOREIGN KEY (group_id) REFERENCES identity_groups(id) ON DELETE CASCADE,
            CONSTRAINT identity_group_memberships_identity_id_fkey FOREIGN KEY (identity_id) REFERENCES identities(id) ON DELETE CASCADE
        );
        CREATE INDEX ix_identity_group_memberships_group_id ON identity_group_memberships (group_id);
        CREATE INDEX ix_identity_group_memberships_identity_id ON identity_group_memberships (identity_id);
    END IF;
END
$table$;

DO $table$
BEGIN
    IF to_regclass('public.organizations') IS NULL THEN
        CREATE TABLE organizations (
            tenant_id         integer,
            parent_id         integer,
            name              varchar(255) NOT NULL,
            slug              varchar(255),
            display_name      varchar(255),
            description       text,
            type              varchar(64),
            cloud_provider    varchar(64),
            cloud_account_id  varchar(255),
            region            varchar(255),
            owner_identity_id integer,
            owner_group_id    integer,
            is_active         boolean      NOT NULL DEFAULT true,
            settings          json,
            tags              json,
            metadata          json,
            id                serial       PRIMARY KEY,
            created_at        timestamptz,
            updated_at        timestamptz,
            CONSTRAINT organizations_owner_group_id_fkey FOREIGN KEY (owner_group_id) REFERENCES identity_groups(id) ON DELETE CASCADE,
            CONSTRAINT organizations_owner_identity_id_fkey FOREIGN KEY (owner_identity_id) REFERENCES identities(id) ON DELETE CASCADE,
            CONSTRAINT organizations_parent_id_fkey FOREIGN KEY (parent_id) REFERENCES organizations(id) ON DELETE CASCADE,
            CONSTRAINT organizations_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenants(id) ON DELETE CASCADE
        );
        CREATE INDEX ix_organizations_name ON organizations (name);
        CREATE INDEX ix_organizations_owner_group_id ON organizations (owner_group_id);
        CREATE INDEX ix_organizations_owner_identity_id ON organizations (owner_identity_id);
        CREATE INDEX ix_organizations_parent_id ON organizations (parent_id);
        CREATE INDEX ix_organizations_tenant_id ON organizations (tenant_id);
        CREATE INDEX ix_organizations_type ON organizations (type);
    END IF;
END
$table$;

DO $table$
BEGIN
    IF to_regclass('public.key_providers') IS NULL THEN
        CREATE TABLE key_providers (
            name            varchar(255) NOT NULL,
            provider        varchar(50)  NOT NULL,
            config_json     json         NOT NULL,
            organization_id integer      NOT NULL,
            enabled         boolean      NOT NULL,
            last_sync_at    timestamptz,
            id              serial       PRIMARY KEY,
            created_at      timestamptz,
            updated_at      timestamptz,
            CONSTRAINT key_providers_organization_id_fkey FOREIGN KEY (organization_id) REFERENCES organizations(id)
        );
    END IF;
END
$table$;

DO $table$
BEGIN
    IF to_regclass('public.crypto_keys') IS NULL THEN
        CREATE TABLE crypto_keys (
            name             varchar(255) NOT NULL,
            key_provider_id  integer      NOT NULL,
            provider_key_id  varchar(512) NOT NULL,
            provider_key_arn varchar(512),
            key_hash         varchar(255) NOT NULL,
            key_type         varchar(50),
            key_state        varchar(50),
            organization_id  integer      NOT NULL,
            metadata_json    json,
            last_synced_at   timestamptz,
            id               serial       PRIMARY KEY,
            created_at       timestamptz,
            updated_at       timestamptz,
            CONSTRAINT crypto_keys_key_provider_id_fkey FOREIGN KEY (key_provider_id) REFERENCES key_providers(id),
            CONSTRAINT crypto_keys_organization_id_fkey FOREIGN KEY (organization_id) REFERENCES organizations(id)
        );
    END IF;
END
$table$;

DO $table$
BEGIN
    IF to_regclass('public.entities') IS NULL THEN
        CREATE TABLE entities (
            organization_id integer,
            parent_id       integer,
            name            varchar(255),
            type            varchar(64)  NOT NULL,
            sub_type        varchar(64),
            external_id     varchar(255),
            cloud_provider  varchar(64),
            region          varchar(255),
            status          varchar(64),
            is_managed      boolean,
            tags            json,
            metadata        json,
            last_seen_at    timestamptz,
            id              serial       PRIMARY KEY,
            created_at      timestamptz,
            updated_at      timestamptz,
            CONSTRAINT entities_organization_id_fkey FOREIGN KEY (organization_id) REFERENCES organizations(id) ON DELETE CASCADE,
            CONSTRAINT entities_parent_id_fkey FOREIGN KEY (parent_id) REFERENCES entities(id) ON DELETE CASCADE
        );
        CREATE INDEX ix_entities_name ON entities (name);
        CREATE INDEX ix_entities_organization_id ON entities (organization_id);
        CREATE INDEX ix_entities_parent_id ON entities (parent_id);
        CREATE INDEX ix_entities_sub_type ON entities (sub_type);
        CREATE INDEX ix_entities_type ON entities (type);
    END IF;
END
$table$;

DO $table$
BEGIN
    IF to_regclass('public.networking_resources') IS NULL THEN
        CREATE TABLE networking_resources (
            name                varchar(255) NOT NULL,
            description         text,
            network_type        varchar(50)  NOT NULL,
            organization_id     integer      NOT NULL,
            parent_id           integer,
            region              varchar(100),
            location            varchar(255),
            poc                 varchar(255),
            organizational_unit varchar(255),
            attributes          json,
            status_metadata     json,
            tags                json,
            is_active           boolean,
            id                  serial       PRIMARY KEY,
            created_at          timestamptz,
            updated_at          timestamptz,
            CONSTRAINT networking_resources_organization_id_fkey FOREIGN KEY (organization_id) REFERENCES organizations(id),
            CONSTRAINT networking_resources_parent_id_fkey FOREIGN KEY (parent_id) REFERENCES networking_resources(id)
        );
    END IF;
END
$table$;

DO $table$
BEGIN
    IF to_regclass('public.network_entity_mappings') IS NULL THEN
        CREATE TABLE network_entity_mappings (
            network_id        integer     NOT NULL,
            entity_id         integer     NOT NULL,
            relationship_type varchar(50) NOT NULL,
            metadata          json,
            id                serial      PRIMARY KEY,
            created_at        timestamptz,
            updated_at        timestamptz,
            CONSTRAINT network_entity_mappings_entity_id_fkey FOREIGN KEY (entity_id) REFERENCES entities(id),
            CONSTRAINT network_entity_mappings_network_id_fkey FOREIGN KEY (network_id) REFERENCES networking_resources(id)
        );
    END IF;
END
$table$;

DO $table$
BEGIN
    IF to_regclass('public.data_stores') IS NULL THEN
        CREATE TABLE data_stores (
            tenant_id             integer      NOT NULL,
            organization_id       integer,
            village_id            varchar(32),
            name                  varchar(255) NOT NULL,
            description           text,
            storage_type          varchar(50),
            storage_provider      varchar(100),
            location_region       varchar(50),
            location_physical     varchar(255),
            data_classification   varchar(20),
            encryption_at_rest    boolean,
            encryption_in_transit boolean,
            encryption_key_id     integer,
            retention_days        integer,
            backup_enabled        boolean,
            backup_frequency      varchar(50),
            access_control_type   varchar(20),
            poc_identity_id       integer,
            compliance_frameworks json,
            contains_pii          boolean,
            contains_phi          boolean,
            contains_pci          boolean,
            size_bytes            integer,
            last_access_audit     timestamptz,
            metadata              json,
            created_by            integer,
            is_active             boolean,
            id                    serial       PRIMARY KEY,
            created_at            timestamptz,
            updated_at            timestamptz,
            CONSTRAINT data_stores_created_by_fkey FOREIGN KEY (created_by) REFERENCES portal_users(id),
            CONSTRAINT data_stores_encryption_key_id_fkey FOREIGN KEY (encryption_key_id) REFERENCES crypto_keys(id),
            CONSTRAINT data_stores_organization_id_fkey FOREIGN KEY (organization_id) REFERENCES organizations(id),
            CONSTRAINT data_stores_poc_identity_id_fkey FOREIGN KEY (poc_identity_id) REFERENCES identities(id),
            CONSTRAINT data_stores_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenants(id),
            CONSTRAINT data_stores_village_id_key UNIQUE (village_id)
        );
    END IF;
END
$table$;

DO $table$
BEGIN
    IF to_regclass('public.services') IS NULL THEN
        CREATE TABLE services (
            tenant_id            integer       NOT NULL,
            name                 varchar(255)  NOT NULL,
            description          text,
            organization_id      integer       NOT NULL,
            domains              json,
            paths                json,
            poc_identity_id      integer,
            language             varchar(50),
            deployment_method    varchar(50),
            deployment_type      varchar(100),
            is_public            boolean       NOT NULL,
            port                 integer,
            health_endpoint      varchar(255),
            repository_url       varchar(1024),
            documentation_url    varchar(1024),
            sla_uptime           numeric(5,2),
            sla_response_time_ms integer,
            notes                text,
            tags                 json,
            status               varchar(50),
            village_id           varchar(32),
            id                   serial        PRIMARY KEY,
            created_at           timestamptz,
            updated_at           timestamptz,
            CONSTRAINT services_organization_id_fkey FOREIGN KEY (organization_id) REFERENCES organizations(id),
            CONSTRAINT services_poc_identity_id_fkey FOREIGN KEY (poc_identity_id) REFERENCES identities(id),
            CONSTRAINT services_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenants(id),
            CONSTRAINT services_village_id_key UNIQUE (village_id)
        );
    END IF;
END
$table$;

DO $table$
BEGIN
    IF to_regclass('public.software') IS NULL THEN
        CREATE TABLE software (
            tenant_id         integer       NOT NULL,
            name              varchar(255)  NOT NULL,
            description       text,
            organization_id   integer       NOT NULL,
            purchasing_poc_id integer,
            license_url       varchar(1024),
            version           varchar(100),
            business_purpose  text,
            software_type     varchar(50)   NOT NULL,
            seats             integer,
            cost_monthly      numeric(10,2),
            renewal_date      date,
            vendor            varchar(255),
            support_contact   varchar(255),
            notes             text,
            tags              json,
            is_active         boolean       NOT NULL,
            village_id        varchar(32),
            id                serial        PRIMARY KEY,
            created_at        timestamptz,
            updated_at        timestamptz,
            CONSTRAINT software_organization_id_fkey FOREIGN KEY (organization_id) REFERENCES organizations(id),
            CONSTRAINT software_purchasing_poc_id_fkey FOREIGN KEY (purchasing_poc_id) REFERENCES identities(id),
            CONSTRAINT software_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenants(id),
            CONSTRAINT software_village_id_key UNIQUE (village_id)
        );
    END IF;
END
$table$;

DO $table$
BEGIN
    IF to_regclass('public.dependencies') IS NULL THEN
        CREATE TABLE dependencies (
            tenant_id       integer,
            source_type     varchar(64) NOT NULL,
            source_id       integer     NOT NULL,
            target_type     varchar(64) NOT NULL,
            target_id       integer     NOT NULL,
            dependency_type varchar(64),
            village_id      varchar(32),
            metadata        json,
            id              serial      PRIMARY KEY,
            created_at      timestamptz,
            updated_at      timestamptz,
            CONSTRAINT dependencies_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenants(id) ON DELETE CASCADE
        );
        CREATE INDEX ix_dependencies_dependency_type ON dependencies (dependency_type);
        CREATE INDEX ix_dependencies_source_id ON dependencies (source_id);
        CREATE INDEX ix_dependencies_source_type ON dependencies (source_type);
        CREATE INDEX ix_dependencies_target_id ON dependencies (target_id);
        CREATE INDEX ix_dependencies_target_type ON dependencies (target_type);
        CREATE INDEX ix_dependencies_tenant_id ON dependencies (tenant_id);
        CREATE UNIQUE INDEX ix_dependencies_village_id ON dependencies (village_id);
    END IF;
END
$table$;

DO $table$
BEGIN
    IF to_regclass('public.discovery_jobs') IS NULL THEN
        CREATE TABLE discovery_jobs (
            name               varchar(255) NOT NULL,
            provider           varchar(50)  NOT NULL,
            config_json        json         NOT NULL,
            schedule_interval  integer      NOT NULL,
            enabled            boolean      NOT NULL,
            credential_type    varchar(50),
            credential_id      integer,
            credential_mapping json,
            last_run_at        timestamptz,
            next_run_at        timestamptz,
            id                 serial       PRIMARY KEY,
            created_at         timestamptz,
            updated_at         timestamptz
        );
    END IF;
END
$table$;

DO $table$
BEGIN
    IF to_regclass('public.discovery_history') IS NULL THEN
        CREATE TABLE discovery_history (
            job_id              integer     NOT NULL,
            started_at          timestamptz NOT NULL,
            completed_at        timestamptz,
            status              varchar(50) NOT NULL,
            entities_discovered integer     NOT NULL,
            entities_created    integer     NOT NULL,
            entities_updated    integer     NOT NULL,
            error_message       text,
            results_json        json,
            id                  serial      PRIMARY KEY,
            CONSTRAINT discovery_history_job_id_fkey FOREIGN KEY (job_id) REFERENCES discovery_jobs(id)
        );
    END IF;
END
$table$;

DO $table$
BEGIN
    IF to_regclass('public.builtin_secrets') IS NULL THEN
        CREATE TABLE builtin_secrets (
            name            varchar(255) NOT NULL,
            description     text,
            organization_id integer      NOT NULL,
            secret_value    varchar(255),
            secret_json     json,
            secret_type     varchar(50)  NOT NULL,
            tags            json,
            is_active       boolean      NOT NULL,
            expires_at      timestamptz,
            id              serial       PRIMARY KEY,
            created_at      timestamptz,
            updated_at      timestamptz,
            CONSTRAINT builtin_secrets_organization_id_fkey FOREIGN KEY (organization_id) REFERENCES organizations(id)
        );
    END IF;
END
$table$;

DO $table$
BEGIN
    IF to_regclass('public.certificates') IS NULL THEN
        CREATE TABLE certificates (
            tenant_id                      integer       NOT NULL,
            name                           varchar(255)  NOT NULL,
            description                    text,
            organization_id                integer       NOT NULL,
            creator                        varchar(100)  NOT NULL,
            cert_type                      varchar(50)   NOT NULL,
            common_name                    varchar(255),
            subject_alternative_names      json,
            organization_unit              varchar(255),
            locality                       varchar(100),
            state_province                 varchar(100),
            country                        varchar(2),
            issuer_common_name             varchar(255),
            issuer_organization            varchar(255),
            key_algorithm                  varchar(50),
            key_size                       integer,
            signature_algorithm            varchar(100),
            issue_date                     date          NOT NULL,
            expiration_date                date          NOT NULL,
            not_before                     timestamptz,
            not_after                      timestamptz,
            certificate_pem                text,
            certificate_fingerprint_sha1   varchar(64),
            certificate_fingerprint_sha256 varchar(64),
            serial_number                  varchar(255),
            private_key_secret_id          integer,
            entities_using                 json,
            services_using                 json,
            file_path                      varchar(1024),
            vault_path                     varchar(512),
            auto_renew                     boolean       NOT NULL,
            renewal_days_before            integer,
            last_renewed_at                timestamptz,
            renewal_method                 varchar(50),
            acme_account_url               varchar(512),
            acme_order_url                 varchar(512),
            acme_challenge_type            varchar(50),
            is_revoked                     boolean       NOT NULL,
            revoked_at                     timestamptz,
            revocation_reason              varchar(100),
            validation_type                varchar(50),
            ct_log_status                  varchar(50),
            ocsp_must_staple               boolean,
            cost_annual                    numeric(10,2),
            purchase_date                  date,
            vendor                         varchar(255),
            notes                          text,
            tags                           json,
            custom_metadata                json,
            status                         varchar(50)   NOT NULL,
            is_active                      boolean       NOT NULL,
            created_by_id                  integer,
            updated_by_id                  integer,
            village_id                     varchar(32),
            id                             serial        PRIMARY KEY,
            created_at                     timestamptz,
            updated_at                     timestamptz,
            CONSTRAINT certificates_created_by_id_fkey FOREIGN KEY (created_by_id) REFERENCES identities(id),
            CONSTRAINT certificates_organization_id_fkey FOREIGN KEY (organization_id) REFERENCES organizations(id),
            CONSTRAINT certificates_private_key_secret_id_fkey FOREIGN KEY (private_key_secret_id) REFERENCES builtin_secrets(id),
            CONSTRAINT certificates_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenants(id),
            CONSTRAINT certificates_updated_by_id_fkey FOREIGN KEY (updated_by_id) REFERENCES identities(id),
            CONSTRAINT certificates_village_id_key UNIQUE (village_id)
        );
    END IF;
END
$table$;

DO $table$
BEGIN
    IF to_regclass('public.cloud_accounts') IS NULL THEN
        CREATE TABLE cloud_accounts (
            name             varchar(255) NOT NULL,
            provider         varchar(50)  NOT NULL,
            credentials_json json         NOT NULL,
            organization_id  integer      NOT NULL,
            enabled          boolean      NOT NULL,
            id               serial       PRIMARY KEY,
            created_at       timestamptz,
            updated_at       timestamptz,
            CONSTRAINT cloud_accounts_organization_id_fkey FOREIGN KEY (organization_id) REFERENCES organizations(id)
        );
    END IF;
END
$table$;

DO $table$
BEGIN
    IF to_regclass('public.google_workspace_providers') IS NULL THEN
        CREATE TABLE google_workspace_providers (
            name             varchar(255) NOT NULL,
            domain           varchar(255) NOT NULL,
            admin_email      varchar(255) NOT NULL,
            credentials_json json         NOT NULL,
            organization_id  integer      NOT NULL,
            enabled          boolean      NOT NULL,
            last_sync_at     timestamptz,
            id               serial       PRIMARY KEY,
            created_at       timestamptz,
            updated_at       timestamptz,
            CONSTRAINT google_workspace_providers_organization_id_fkey FOREIGN KEY (organization_id) REFERENCES organizations(id)
        );
    END IF;
END
$table$;

DO $table$
BEGIN
    IF to_regclass('public.iam_providers') IS NULL THEN
        CREATE TABLE iam_providers (
            name            varchar(255) NOT NULL,
            provider_type   varchar(50)  NOT NULL,
            config_json     json         NOT NULL,
            organization_id integer      NOT NULL,
            enabled         boolean      NOT NULL,
            last_sync_at    timestamptz,
            id              serial       PRIMARY KEY,
            created_at      timestamptz,
            updated_at      timestamptz,
            CONSTRAINT iam_providers_organization_id_fkey FOREIGN KEY (organization_id) REFERENCES organizations(id)
        );
    END IF;
END
$table$;

-- Elder's own first start does the same; rows of a source without an organization of its own go to this tenant.
INSERT INTO tenants (name, slug, is_active, created_at, updated_at)
SELECT 'Default', 'default', true, now(), now()
WHERE NOT EXISTS (SELECT 1 FROM tenants WHERE slug IN ('default', 'system'))
ON CONFLICT DO NOTHING;
