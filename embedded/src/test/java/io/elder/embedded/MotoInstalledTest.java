package io.elder.embedded;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.net.URI;
import java.nio.file.Path;
import java.sql.SQLException;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.MethodOrderer;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestMethodOrder;
import org.junit.jupiter.api.io.TempDir;
import software.amazon.awssdk.auth.credentials.AwsBasicCredentials;
import software.amazon.awssdk.auth.credentials.StaticCredentialsProvider;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.services.ec2.Ec2Client;
import software.amazon.awssdk.services.ec2.model.CreateTagsRequest;

/** An organization of three accounts in four regions through the whole pipeline: its size, its changes and its failures. */
@Tag("installed")
@TestMethodOrder(MethodOrderer.OrderAnnotation.class)
class MotoInstalledTest {
    private static final String MANAGEMENT = "123456789012";
    private static final String HEALTHY = "us-east-1";
    private static final String REFUSED = "eu-central-1";
    private static final String THROTTLED = "ap-southeast-2";

    @TempDir
    static Path folder;

    private static JsonNode estate;
    private static RegionProxy proxy;
    private static DirectoryJob job;
    private static String renamed;
    private static List<String> terminated;
    private static List<String> hidden;

    @BeforeAll
    static void start() throws Exception {
        assumeTrue(System.getenv("ELDER_TEST_MOTO_URL") != null, "no moto: run .ci/moto.sh start DIR");
        estate = new ObjectMapper()
                .readTree(Path.of(System.getenv("ELDER_TEST_MOTO_ESTATE")).toFile());
        proxy = RegionProxy.to(URI.create(System.getenv("ELDER_TEST_MOTO_URL")));
        job = DirectoryJob.start(
                folder.resolve("elder"),
                Map.of(
                        "DISCOVERY_MAX_CONCURRENT",
                        "8",
                        "SYNC_MAX_RETRIES",
                        "1",
                        "AWS_RATE_LIMIT",
                        "1000",
                        "ENDPOINT_ALLOWLIST",
                        "127.0.0.1"),
                "aws",
                """
                {"endpoint_url": "%s", "access_key_id": "AKIAELDERTEST", "secret_access_key": "moto-secret",
                 "organization": true, "regions": %s, "page_size": 50}""".formatted(proxy.url(), estate.get("regions")));
    }

    @AfterAll
    static void stop() {
        if (job != null) {
            job.close();
        }
        if (proxy != null) {
            proxy.close();
        }
    }

    @Test
    @Order(1)
    void everyResourceIsARowUnderItsAccountAndRegion() throws SQLException {
        job.sync("moto, first sync");
        assertThat(job.lastError()).isEqualTo("completed: ");
        assertThat(instances()).isEqualTo(5_000);
        assertThat(live("data_stores", "rds_instance")).isEqualTo(130);
        assertThat(live("services", "lambda_function")).isEqualTo(260);
        assertThat(byPlace("entities", "ec2_instance")).isEqualTo(expected("ec2_instance"));
        assertThat(byPlace("data_stores", "rds_instance")).isEqualTo(expected("rds_instance"));
        assertThat(byPlace("services", "lambda_function")).isEqualTo(expected("lambda_function"));
        assertThat(job.number("select count(*) from organizations where name = 'AWS'"))
                .isEqualTo(1);
        assertThat(job.number("select count(*) from entities where name = 'web' and sub_type = 'ec2_instance'"))
                .as("same-named ones, each a row")
                .isGreaterThan(1_400);
        assertThat(job.number("select count(*) from pipeline.pending_links")).isZero();
        assertThat(job.number("select count(*) from network_entity_mappings m join networking_resources n"
                        + " on n.id = m.network_id join entities e on e.id = m.entity_id"
                        + " where n.network_type = 'subnet' and e.sub_type = 'ec2_instance'"
                        + " and m.relationship_type = 'attached'"))
                .isEqualTo(5_000);
    }

    @Test
    @Order(2)
    void attributesAreThoseThatWerePromised() throws SQLException {
        assertThat(job.number(
                        "select count(*) from entities where sub_type = 'ec2_instance' and external_id is not null"
                                + " and metadata::jsonb ?& array['instance_id', 'instance_type', 'state', 'private_ip', 'vpc_id',"
                                + " 'subnet_id', 'region', 'launch_time']"))
                .isEqualTo(5_000);
        assertThat(job.number("select count(*) from networking_resources where attributes::jsonb"
                        + " ?& array['vpc_id', 'cidr_block', 'state', 'is_default']"))
                .isEqualTo(12);
        for (String table : DirectoryJob.TABLES) {
            assertThat(job.number("select count(*) from " + table + " t where t::text like '%canary-%'"))
                    .as(table)
                    .isZero();
        }
    }

    @Test
    @Order(3)
    void aSecondSyncChangesNoRow() throws SQLException {
        String before = job.versions();
        job.sync("moto, second sync");
        assertThat(job.versions()).isEqualTo(before);
        assertThat(job.lastRun("concat_ws(',', created, updated, deleted)")).isEqualTo("0,0,0");
    }

    @Test
    @Order(4)
    void aRegionThatRefusesAndOneThatThrottlesKeepTheirRowsWhileTheOthersAreUpdated() throws SQLException {
        String refused = versionsIn(REFUSED);
        String throttled = versionsIn(THROTTLED);
        try (Ec2Client here = ec2(HEALTHY);
                Ec2Client there = ec2(REFUSED)) {
            terminated = some(here, 5);
            renamed = some(here, 6).getLast();
            hidden = some(there, 3);
            here.terminateInstances(r -> r.instanceIds(terminated));
            here.createTags(CreateTagsRequest.builder()
                    .resources(renamed)
                    .tags(software.amazon.awssdk.services.ec2.model.Tag.builder()
                            .key("Name")
                            .value("renamed-by-the-test")
                            .build())
                    .build());
            there.terminateInstances(r -> r.instanceIds(hidden));
        }
        proxy.refuse(REFUSED, 403, "UnauthorizedOperation");
        proxy.refuse(THROTTLED + "/DescribeInstances", 503, "RequestLimitExceeded");
        job.sync("moto, one region refuses and one throttles");

        assertThat(job.lastError()).startsWith("partial: ").contains("UnauthorizedOperation");
        assertThat(job.lastRun(
                        "(select count(*) from unnest(failed) s where s like '%/" + THROTTLED + "/ec2_instance')"))
                .isEqualTo("3");
        assertThat(job.lastRun("(select count(*) from unnest(failed) s where s not like '%/" + THROTTLED
                        + "/ec2_instance' and s not like '%/" + REFUSED + "/%')"))
                .isEqualTo("0");
        assertThat(versionsIn(REFUSED)).isEqualTo(refused);
        assertThat(versionsIn(THROTTLED)).isEqualTo(throttled);
        assertThat(instances()).isEqualTo(4_995);
        assertThat(deletedAmong(terminated)).isEqualTo(5);
        assertThat(deletedAmong(hidden)).isZero();
        assertThat(job.text("select name from entities where external_id = '" + renamed + "'"))
                .isEqualTo("renamed-by-the-test");
    }

    @Test
    @Order(5)
    void whatVanishedMeanwhileIsDeletedOnceItsRegionIsReadAgain() throws SQLException {
        proxy.mend();
        job.sync("moto, all regions again");
        assertThat(job.lastError()).isEqualTo("completed: ");
        assertThat(instances()).isEqualTo(4_992);
        assertThat(deletedAmong(hidden)).isEqualTo(3);
        assertThat(job.text(
                        "select count(*) from entities where external_id = '" + renamed + "' and deleted_at is null"))
                .isEqualTo("1");
    }

    private static Ec2Client ec2(String region) {
        return Ec2Client.builder()
                .endpointOverride(URI.create(System.getenv("ELDER_TEST_MOTO_URL")))
                .region(Region.of(region))
                .credentialsProvider(
                        StaticCredentialsProvider.create(AwsBasicCredentials.create("AKIAELDERTEST", "moto-secret")))
                .build();
    }

    /** Of those that run, in the order of their ids: moto's own order may change. */
    private static List<String> some(Ec2Client ec2, int count) {
        return ec2.describeInstances(r -> r.maxResults(1000)).reservations().stream()
                .flatMap(reservation -> reservation.instances().stream())
                .filter(instance -> instance.state().nameAsString().equals("running"))
                .map(instance -> instance.instanceId())
                .sorted()
                .limit(count)
                .toList();
    }

    private static long instances() throws SQLException {
        return job.number("select count(*) from entities where sub_type = 'ec2_instance' and deleted_at is null");
    }

    private static long live(String table, String kind) throws SQLException {
        return job.number("select count(*) from " + table + " where source_key like 'aws/%/" + kind
                + "/%' and source_key not like '%#%' and deleted_at is null");
    }

    private static long deletedAmong(List<String> instances) throws SQLException {
        return job.number("select count(*) from entities where deleted_at is not null and external_id in ('"
                + String.join("','", instances) + "')");
    }

    private static String versionsIn(String region) throws SQLException {
        StringBuilder versions = new StringBuilder();
        for (String table : List.of("entities", "networking_resources", "data_stores", "services")) {
            versions.append(job.text("select count(*) || '/' || coalesce(sum(t.xmin::text::bigint), 0) from " + table
                            + " t join organizations o on o.id = t.organization_id where o.region = '" + region + "'"))
                    .append(' ');
        }
        return versions.toString();
    }

    /** Rows by account and region, as their organizations say. */
    private static Map<String, Integer> byPlace(String table, String kind) throws SQLException {
        String rows =
                job.text("select string_agg(place || '=' || n, ',') from (select p.cloud_account_id || '/' || o.region"
                        + " as place, count(*) as n from " + table
                        + " t join organizations o on o.id = t.organization_id"
                        + " join organizations p on p.id = o.parent_id where t.source_key like 'aws/%/" + kind
                        + "/%' and t.source_key not like '%#%' group by 1) s");
        Map<String, Integer> places = new TreeMap<>();
        for (String each : rows.split(",")) {
            places.put(each.substring(0, each.indexOf('=')), Integer.parseInt(each.substring(each.indexOf('=') + 1)));
        }
        return places;
    }

    private static Map<String, Integer> expected(String kind) {
        Map<String, Integer> places = new TreeMap<>();
        estate.get("found").properties().forEach(place -> {
            if (place.getValue().has(kind)) {
                places.put(place.getKey(), place.getValue().get(kind).asInt());
            }
        });
        assertThat(places).hasSize(12).anySatisfy((place, unused) -> assertThat(place)
                .startsWith(MANAGEMENT));
        return places;
    }
}
