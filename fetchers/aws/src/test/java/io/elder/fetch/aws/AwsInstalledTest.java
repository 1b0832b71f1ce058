package io.elder.fetch.aws;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.elder.fetch.testkit.RecordingPublisher;
import io.elder.fetch.testkit.TestRun;
import io.elder.normalizer.mapping.Mappings;
import io.elder.normalizer.mapping.Output;
import io.elder.runtime.Settings;
import io.elder.schemas.avro.PlanFailed;
import io.elder.schemas.avro.ScopeFailed;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Against moto as {@code .ci/moto.sh} starts and fills it: 3 accounts in 4 regions, 5,000 instances, in small pages. */
@Tag("installed")
class AwsInstalledTest {
    private static JsonNode estate;
    private static RecordingPublisher published;

    @BeforeAll
    static void readEverything() throws Exception {
        assumeTrue(System.getenv("ELDER_TEST_MOTO_URL") != null, "no moto: run .ci/moto.sh start DIR");
        estate = new ObjectMapper()
                .readTree(Path.of(System.getenv("ELDER_TEST_MOTO_ESTATE")).toFile());
        Map<String, String> settings = Map.of(
                "AWS_ENDPOINT_URL", System.getenv("ELDER_TEST_MOTO_URL"),
                "AWS_ACCESS_KEY_ID", "AKIAELDERTEST",
                "AWS_SECRET_ACCESS_KEY", "moto-secret",
                "AWS_ORGANIZATION", "true",
                "AWS_REGIONS", regions(),
                "AWS_PAGE_SIZE", "5",
                "AWS_RATE_LIMIT", "10000");
        long began = System.nanoTime();
        try (TestRun<AwsClient> run = new TestRun<>(new AwsProvider(), Settings.of(settings), List.of())) {
            published = run.everything();
        }
        System.out.printf(
                "MEASURED moto: %d records in %.1f s%n",
                published.sealedRecords().size(), (System.nanoTime() - began) / 1e9);
    }

    private static String regions() {
        StringBuilder regions = new StringBuilder();
        estate.get("regions").forEach(each -> regions.append(each.asText()).append(','));
        return regions.toString();
    }

    @Test
    void nothingFails() {
        assertThat(published.events(PlanFailed.class)).isEmpty();
        assertThat(published.events(ScopeFailed.class)).isEmpty();
    }

    @Test
    void everyAccountAndRegionHasWhatWasPutThere() {
        Map<String, Integer> seen = new TreeMap<>();
        published
                .sealedRecords()
                .forEach(record -> seen.merge(
                        record.scope().account() + "/" + record.scope().region() + "/"
                                + record.key().kind(),
                        1,
                        Integer::sum));
        Map<String, Integer> expected = new TreeMap<>();
        estate.get("found").properties().forEach(place -> place.getValue()
                .properties()
                .forEach(kind -> expected.put(
                        place.getKey() + "/" + kind.getKey(), kind.getValue().asInt())));
        assertThat(expected).hasSizeGreaterThan(100);
        assertThat(seen).containsAllEntriesOf(expected);
        assertThat(count("ec2_instance")).isEqualTo(5_000);
        assertThat(count("rds_instance")).isEqualTo(130);
        assertThat(count("lambda_function")).isEqualTo(260);
        assertThat(count("aws_account")).as("one is suspended").isEqualTo(3);
    }

    @Test
    void everyResourceIsARowOfItsOwnUnderItsRegion() {
        Set<String> rows = new HashSet<>();
        Map<String, String> contents = new HashMap<>();
        Map<String, Integer> instances = new TreeMap<>();
        for (RecordingPublisher.Written record : published.sealedRecords()) {
            for (Output output : Mappings.map(record.key().toString(), record.payload())) {
                String content = output.row().toString();
                boolean isShared = output.key().equals("aws/*/aws/aws");
                assertThat(rows.add(output.key()) || (isShared && content.equals(contents.get(output.key()))))
                        .as("%s from %s is a row already", output.key(), record.key())
                        .isTrue();
                contents.put(output.key(), content);
                if (output.row().getTable().equals("entities")
                        && record.key().kind().equals("ec2_instance")) {
                    assertThat(output.row().getReferences().get("organization"))
                            .isEqualTo("aws/" + record.scope().account() + "/aws_region/"
                                    + record.scope().region());
                    instances.merge(
                            String.valueOf(output.row().getValues().get("name")).startsWith("i-")
                                    ? "untagged"
                                    : "named",
                            1,
                            Integer::sum);
                }
            }
        }
        assertThat(instances.get("untagged") + instances.get("named")).isEqualTo(5_000);
        assertThat(instances.get("untagged")).isGreaterThan(1_500);
        assertThat(rows).contains("aws/*/aws/aws").hasSizeGreaterThan(20_000);
    }

    @Test
    void noSecretIsInAnyRecord() {
        assertThat(published.records()).noneMatch(record -> record.payload().contains("canary-"));
    }

    private static long count(String kind) {
        return published.sealedRecords().stream()
                .filter(record -> record.key().kind().equals(kind))
                .map(record -> record.key().toString())
                .distinct()
                .count();
    }
}
