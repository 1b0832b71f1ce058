package io.elder.normalizer.mapping;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.core.json.JsonReadFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.elder.schemas.ResourceKey;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;

/** The vendor's examples, which may not be kept here: {@code -Dfleet.examples=FOLDER} says where they are. */
class FleetdmMappingTest {
    private static final ObjectMapper LENIENT = JsonMapper.builder()
            .enable(JsonReadFeature.ALLOW_JAVA_COMMENTS, JsonReadFeature.ALLOW_TRAILING_COMMA)
            .build();

    @Test
    void everyExampleOfTheVendorsMaps() throws IOException {
        String folder = System.getProperty("fleet.examples");
        assumeTrue(folder != null, "-Dfleet.examples=FOLDER");
        Map<String, Integer> mapped = new TreeMap<>();
        map(Path.of(folder, "list-hosts-2.json"), "hosts", "fleetdm_host", "id", mapped);
        map(Path.of(folder, "list-teams-1.json"), "teams", "fleetdm_team", "id", mapped);
        map(Path.of(folder, "list-policies-1.json"), "policies", "fleetdm_policy", "id", mapped);
        map(Path.of(folder, "software-1.json"), "software", "fleetdm_software", "id", mapped);
        map(Path.of(folder, "software-versions.json"), "software", "fleetdm_software", "id", mapped);
        map(
                Path.of(folder, "list-vulnerabilities.example.md"),
                "vulnerabilities",
                "fleetdm_vulnerability",
                "cve",
                mapped);
        assertThat(mapped)
                .isEqualTo(Map.of(
                        "fleetdm_host", 1,
                        "fleetdm_team", 2,
                        "fleetdm_policy", 2,
                        "fleetdm_software", 3,
                        "fleetdm_vulnerability", 1));
        JsonNode host =
                LENIENT.readTree(Path.of(folder, "get-host-1.json").toFile()).path("host");
        assertThat(host.path("software"))
                .hasSize(3)
                .allSatisfy(software -> assertThat(software.path("id").isInt()).isTrue());
        assertThat(map("fleetdm_host", host, "id")).isPositive();
    }

    private static void map(Path file, String items, String kind, String id, Map<String, Integer> mapped)
            throws IOException {
        String text = Files.readString(file);
        int fence = text.indexOf("```json");
        String body = fence < 0 ? text : text.substring(fence + 7, text.indexOf("```", fence + 7));
        for (JsonNode item : LENIENT.readTree(body).path(items)) {
            assertThat(map(kind, item, id)).isPositive();
            mapped.merge(kind, 1, Integer::sum);
        }
    }

    private static int map(String kind, JsonNode item, String id) {
        ResourceKey key = new ResourceKey(
                "fleetdm", "fleet.example.com", kind, item.path(id).asText());
        return Mappings.map(key.toString(), item.toString()).size();
    }
}
