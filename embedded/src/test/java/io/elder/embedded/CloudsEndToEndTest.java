package io.elder.embedded;

import static org.assertj.core.api.Assertions.assertThat;

import io.elder.fetch.azure.AzureVendor;
import io.elder.fetch.gcp.GcpVendor;
import io.elder.fetch.testkit.Answer;
import io.elder.fetch.testkit.LocalTls;
import io.elder.fetch.testkit.ScriptedServer;
import io.elder.schemas.ElderTable;
import java.nio.file.Path;
import java.sql.SQLException;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import javax.net.ssl.SSLContext;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.MethodOrderer;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestMethodOrder;
import org.junit.jupiter.api.io.TempDir;

/**
 * Two projects of Google Cloud and two subscriptions of Azure, by servers of ours, through the whole pipeline. It needs nothing
 * installed, but a minute; {@code DemoTest} has both clouds in every build.
 */
@Tag("installed")
@TestMethodOrder(MethodOrderer.OrderAnnotation.class)
class CloudsEndToEndTest {
    private static final String OTHER_PROJECT = "other-project-7";
    private static final String OTHER_SUBSCRIPTION = "99999999-2222-3333-4444-555555555555";
    private static final String TENANT = "the-tenant";

    @TempDir
    static Path folder;

    private static SSLContext before;
    private static ScriptedServer google;
    private static ScriptedServer microsoft;
    private static ScriptedServer authority;
    private static DirectoryJob gcp;
    private static DirectoryJob azure;

    @BeforeAll
    static void start() throws Exception {
        google = ScriptedServer.start(GcpVendor.class);
        google.on("POST /token", "vendor/token.json");
        GcpVendor.script(google, GcpVendor.PROJECT);
        GcpVendor.script(google, OTHER_PROJECT);

        microsoft = ScriptedServer.start(AzureVendor.class);
        microsoft.on("GET /subscriptions", "subscriptions.json");
        AzureVendor.script(microsoft, AzureVendor.SUBSCRIPTION);
        AzureVendor.script(microsoft, OTHER_SUBSCRIPTION);
        LocalTls tls = LocalTls.create(folder);
        authority = ScriptedServer.start(AzureVendor.class, tls);
        AzureVendor.scriptAuthority(authority, TENANT);
        before = SSLContext.getDefault();
        SSLContext.setDefault(tls.context());

        gcp = DirectoryJob.start(
                folder.resolve("elder"),
                Map.of(
                        "GCP_RATE_LIMIT",
                        "1000",
                        "AZURE_RATE_LIMIT",
                        "1000",
                        "SYNC_MAX_RETRIES",
                        "1",
                        "ENDPOINT_ALLOWLIST",
                        "127.0.0.1,localhost"),
                "gcp",
                """
                {"project_ids": ["%s", "%s"], "endpoint_url": "%s", "credentials_json": %s}""".formatted(
                        GcpVendor.PROJECT, OTHER_PROJECT, google.url(), GcpVendor.keyFile(google.url() + "/token")));
        azure = gcp.beside("azure", """
                {"subscription_ids": ["%s", "%s"], "endpoint_url": "%s", "authority_host": "%s", "tenant_id": "%s",
                 "client_id": "elder", "client_secret": "canary-client-secret"}""".formatted(
                        AzureVendor.SUBSCRIPTION, OTHER_SUBSCRIPTION, microsoft.url(), authority.url(), TENANT));
    }

    @AfterAll
    static void stop() {
        if (before != null) {
            SSLContext.setDefault(before);
        }
        if (gcp != null) {
            gcp.close();
        }
        for (ScriptedServer server : List.of(google, microsoft, authority)) {
            server.close();
        }
    }

    @Test
    @Order(1)
    void everyResourceIsARowUnderItsProjectOrSubscription() throws SQLException {
        syncBoth("first sync", "first sync");
        assertThat(gcp.lastError()).isEqualTo("completed: ");
        assertThat(azure.lastError()).isEqualTo("completed: ");
        for (String project : List.of(GcpVendor.PROJECT, OTHER_PROJECT)) {
            assertThat(rows(gcp, "gcp", project)).isEqualTo(new TreeMap<>(GcpVendor.EXPECTED));
        }
        for (String subscription : List.of(AzureVendor.SUBSCRIPTION, OTHER_SUBSCRIPTION)) {
            assertThat(rows(azure, "azure", subscription)).isEqualTo(new TreeMap<>(AzureVendor.EXPECTED));
        }
        for (String table : List.of("entities", "networking_resources", "data_stores", "services", "identities")) {
            assertThat(gcp.number("select count(*) from " + table + " r left join organizations o on o.id ="
                            + " r.organization_id where split_part(r.source_key, '/', 1) in ('gcp', 'azure')"
                            + " and o.cloud_account_id is distinct from split_part(r.source_key, '/', 2)"))
                    .as("%s that are in no organization of their own account", table)
                    .isZero();
        }
    }

    @Test
    @Order(2)
    void linksLeadToRowsWhereverThereIsOne() throws SQLException {
        for (String table : DirectoryJob.TABLES) {
            assertThat(gcp.number("select count(*) from pipeline.pending_links p join " + table
                            + " t on t.source_key = p.target_key where t.deleted_at is null"))
                    .as("links that wait for what is among the %s", table)
                    .isZero();
        }
        assertThat(dependencies("azure", "data_stores", "data_stores", "part_of"))
                .isEqualTo(4);
        assertThat(dependencies("azure", "data_stores", "entities", "attached_to"))
                .isEqualTo(2);
        assertThat(dependencies("gcp", "data_stores", "entities", "attached_to"))
                .isEqualTo(2);
        assertThat(dependencies("gcp", "services", "identities", "uses")).isEqualTo(4);
        assertThat(networks("azure"))
                .isEqualTo(
                        "azure_aks_agent_pool attached azure_subnet 2, azure_vm routed_through azure_load_balancer 2,"
                                + " azure_vm attached azure_network_interface 2, azure_vm secured_by"
                                + " azure_network_security_group 2, azure_vm attached azure_public_ip 2,"
                                + " azure_vm_scale_set routed_through azure_load_balancer 2, azure_vm_scale_set secured_by"
                                + " azure_network_security_group 2, azure_vm_scale_set attached azure_subnet 2");
        assertThat(networks("gcp"))
                .isEqualTo("gce_instance connected_to gce_network 4, gce_instance attached gce_subnetwork 4,"
                        + " gke_cluster connected_to gce_network 2, gke_cluster attached gce_subnetwork 2");
    }

    private static long dependencies(String provider, String from, String to, String type) throws SQLException {
        // Rows of several tables have the same ids.
        return gcp.number(
                "select count(*) from dependencies d join " + from + " f on f.id = d.source_id and d.source_type = '"
                        + noun(from) + "' join " + to + " t on t.id = d.target_id and d.target_type = '" + noun(to)
                        + "' where d.deleted_at is null and d.dependency_type = '" + type
                        + "' and f.source_key like '" + provider + "/%' and t.source_key like '" + provider
                        + "/%' and split_part(f.source_key, '/', 2) = split_part(t.source_key, '/', 2)");
    }

    private static String noun(String table) {
        return ElderTable.findBySqlName(table).orElseThrow().noun();
    }

    /** Which kinds of entities are linked with which kinds of networks, how, and how often. */
    private static String networks(String provider) throws SQLException {
        return gcp.text(
                "select coalesce(string_agg(concat_ws(' ', entity, how, network, many), ', ' order by entity, network), '')"
                        + " from (select split_part(e.source_key, '/', 3) entity, split_part(n.source_key, '/', 3) network,"
                        + " m.relationship_type how, count(*) many from network_entity_mappings m join networking_resources n on"
                        + " n.id = m.network_id join entities e on e.id = m.entity_id where e.source_key like '"
                        + provider
                        + "/%' and n.source_key like '" + provider
                        + "/%' and m.deleted_at is null and split_part(e.source_key, '/', 2)"
                        + " = split_part(n.source_key, '/', 2) group by 1, 2, 3) links");
    }

    @Test
    @Order(3)
    void aSecondSyncChangesNoRow() throws SQLException {
        String before = gcp.versions();
        syncBoth("second sync", "second sync");
        assertThat(gcp.versions()).isEqualTo(before);
        assertThat(gcp.lastRun("concat_ws(',', created, updated, deleted)")).isEqualTo("0,0,0");
        assertThat(azure.lastRun("concat_ws(',', created, updated, deleted)")).isEqualTo("0,0,0");
    }

    @Test
    @Order(4)
    void whatIsGoneInOneProjectOrSubscriptionIsDeletedThereAlone() throws SQLException {
        google.on(
                asked -> asked.path().equals("/compute/v1/projects/" + OTHER_PROJECT + "/aggregated/instances")
                        && asked.parameters().containsKey("pageToken"),
                json("{\"items\": {}}"));
        microsoft.on(
                asked -> asked.path()
                        .equals("/subscriptions/" + OTHER_SUBSCRIPTION + "/resourceGroups/sqlcrudtest-7398"
                                + "/providers/Microsoft.Sql/servers/sqlcrudtest-4645/databases"),
                json("{\"value\": []}"));
        syncBoth("an instance less", "two databases less");
        assertThat(rows(gcp, "gcp", OTHER_PROJECT)).isEqualTo(without(GcpVendor.EXPECTED, "gce_instance", 1));
        assertThat(rows(gcp, "gcp", GcpVendor.PROJECT)).isEqualTo(new TreeMap<>(GcpVendor.EXPECTED));
        assertThat(rows(azure, "azure", OTHER_SUBSCRIPTION))
                .isEqualTo(without(AzureVendor.EXPECTED, "azure_sql_database", 2));
        assertThat(rows(azure, "azure", AzureVendor.SUBSCRIPTION)).isEqualTo(new TreeMap<>(AzureVendor.EXPECTED));
        assertThat(gcp.number("select count(*) from entities where deleted_at is not null"))
                .isEqualTo(1);
        assertThat(gcp.number("select count(*) from data_stores where deleted_at is not null"))
                .isEqualTo(2);
    }

    @Test
    @Order(5)
    void anAnswerThatIsNotWholeAndASubscriptionThatRefusesDeleteNothing() throws SQLException {
        String before = gcp.versions();
        google.on(
                asked -> asked.path().equals("/compute/v1/projects/" + GcpVendor.PROJECT + "/aggregated/instances"),
                json("{\"items\": {}, \"unreachables\": [\"zones/us-east1-b\"]}"));
        microsoft.on(
                asked -> asked.path().startsWith("/subscriptions/" + AzureVendor.SUBSCRIPTION),
                Answer.of(403, "{\"error\": {\"code\": \"AuthorizationFailed\", \"message\": \"not yours\"}}")
                        .header("Content-Type", "application/json"));
        syncBoth("a zone that can't be reached", "a subscription that refuses");
        assertThat(gcp.lastError()).startsWith("partial: ").contains("zones/us-east1-b");
        assertThat(gcp.lastRun("failed")).isEqualTo("{gcp/" + GcpVendor.PROJECT + "/global/gce_instance}");
        assertThat(azure.lastError()).startsWith("partial: ").contains("not yours");
        assertThat(azure.lastRun("(select count(*) from unnest(failed) s where s not like 'azure/"
                        + AzureVendor.SUBSCRIPTION + "/%')"))
                .isEqualTo("0");
        assertThat(gcp.versions()).isEqualTo(before);
    }

    @Test
    @Order(6)
    void noSecretOfEitherIsInATopicOrARow() throws Exception {
        gcp.eachRecord(record -> assertThat(record).doesNotContain("canary-"));
        for (String table : DirectoryJob.TABLES) {
            assertThat(gcp.number("select count(*) from " + table + " t where t::text like '%canary-%'"))
                    .as(table)
                    .isZero();
        }
        assertThat(gcp.status()).doesNotContain("canary-");
    }

    private static Map<String, Integer> without(Map<String, Integer> expected, String kind, int fewer) {
        Map<String, Integer> rows = new TreeMap<>(expected);
        if (rows.merge(kind, -fewer, Integer::sum) == 0) {
            rows.remove(kind);
        }
        return rows;
    }

    private static Answer json(String body) {
        return Answer.of(200, body).header("Content-Type", "application/json");
    }

    private static void syncBoth(String there, String here) throws SQLException {
        gcp.queue();
        azure.queue();
        gcp.await("gcp, " + there);
        azure.await("azure, " + here);
    }

    /** Rows that are alive, by kind; what one resource gives besides its row does not count. */
    private static Map<String, Integer> rows(DirectoryJob job, String provider, String account) throws SQLException {
        Map<String, Integer> rows = new TreeMap<>();
        for (String table : DirectoryJob.TABLES) {
            String counts = job.text("select coalesce(string_agg(kind || '=' || many, ','), '') from"
                    + " (select split_part(source_key, '/', 3) kind, count(*) many from " + table
                    + " where source_key like '" + provider + "/" + account
                    + "/%' and source_key not like '%#%' and deleted_at is null group by 1) kinds");
            for (String count : counts.split(",")) {
                if (!count.isEmpty()) {
                    rows.merge(count.split("=")[0], Integer.parseInt(count.split("=")[1]), Integer::sum);
                }
            }
        }
        return rows;
    }
}
