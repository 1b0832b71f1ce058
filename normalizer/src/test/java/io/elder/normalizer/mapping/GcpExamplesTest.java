package io.elder.normalizer.mapping;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;

/** Everything that Google Cloud's public examples hold, 112 objects of nine kinds. */
class GcpExamplesTest {
    private static final ObjectMapper JSON = new ObjectMapper();

    @Test
    void everyExampleGivesRowsOrIsRejectedForAReason() throws IOException {
        Map<String, Integer> mapped = new TreeMap<>();
        List<String> rejected = new ArrayList<>();
        for (JsonNode example : examples()) {
            String key = example.path("key").textValue();
            try {
                List<Output> rows = Mappings.map(key, example.path("payload").toString());
                assertThat(rows).as(key).isNotEmpty();
                assertThat(rows.stream().map(Output::key)).as(key).doesNotHaveDuplicates();
                mapped.merge(key.split("/")[2], 1, Integer::sum);
            } catch (RejectedRecord e) {
                rejected.add(key + ": " + e.getMessage());
            }
        }
        assertThat(mapped)
                .isEqualTo(Map.of(
                        "gce_disk", 2,
                        "gce_firewall", 5,
                        "gce_instance", 2,
                        "gce_network", 6,
                        "gce_subnetwork", 84,
                        "gcs_bucket", 4,
                        "gke_cluster", 3,
                        "gke_node_pool", 3));
        // Three projects in the form of the API's first version, which calls the state otherwise.
        assertThat(rejected).hasSize(3).allMatch(text -> text.endsWith("state: nothing (expected: a text)"));
    }

    @Test
    void whatLinksLeadToIsTheKeyOfWhatIsThere() throws IOException {
        TreeSet<String> keys = new TreeSet<>();
        TreeSet<String> networks = new TreeSet<>();
        for (JsonNode example : examples()) {
            String key = example.path("key").textValue();
            keys.add(key);
            if (key.contains("/gce_instance/") || key.contains("/gce_firewall/")) {
                for (Output row : Mappings.map(key, example.path("payload").toString())) {
                    row.row().getReferences().values().stream()
                            .filter(target -> target.contains("/gce_network/"))
                            .forEach(networks::add);
                }
            }
        }
        assertThat(networks).isNotEmpty();
        assertThat(keys).containsAll(networks);
    }

    private static JsonNode examples() throws IOException {
        return JSON.readTree(
                Path.of("src/test/resources/vendor-examples/gcp.json").toFile());
    }
}
