package io.elder.normalizer.mapping;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.elder.schemas.ResourceKey;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;

/** What one golden case can't show. */
class GoogleWorkspaceMappingTest {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final Path EXAMPLES = Path.of("src/test/resources/vendor-examples/google_workspace.json");

    @Test
    void aUserInTwoThousandGroupsHasAsManyMembershipsEachWithAKeyOfItsOwn() {
        Set<String> keys = new HashSet<>();
        Set<String> groups = new HashSet<>();
        for (int i = 0; i < 2_000; i++) {
            Output row = member("group" + i, "user-1", "USER", "google_workspace_user")
                    .getFirst();
            keys.add(row.key());
            groups.add(row.row().getReferences().get("group"));
            assertThat(row.row().getReferences().get("identity"))
                    .isEqualTo(key("google_workspace_user", "user-1").toString());
        }
        assertThat(keys).hasSize(2_000);
        assertThat(groups).hasSize(2_000);
    }

    @Test
    void groupsInACycleAreLinkedBothWays() {
        Output there = member("a", "b", "GROUP", "google_workspace_group").getFirst();
        Output back = member("b", "a", "GROUP", "google_workspace_group").getFirst();
        assertThat(there.row().getReferences().get("source"))
                .isEqualTo(back.row().getReferences().get("target"));
        assertThat(there.row().getReferences().get("target"))
                .isEqualTo(back.row().getReferences().get("source"));
        assertThat(there.key()).isNotEqualTo(back.key());
    }

    @Test
    void everyPublicExampleGivesRowsOrIsRejectedForAReason() throws IOException {
        Map<String, Integer> mapped = new TreeMap<>();
        List<String> rejected = new ArrayList<>();
        for (JsonNode example : JSON.readTree(EXAMPLES.toFile())) {
            String key = example.path("key").textValue();
            try {
                assertThat(Mappings.map(key, example.path("payload").toString()))
                        .as(key)
                        .isNotEmpty();
                mapped.merge(key.split("/")[2], 1, Integer::sum);
            } catch (RejectedRecord e) {
                rejected.add(e.getMessage());
            }
        }
        assertThat(mapped)
                .isEqualTo(Map.of(
                        "google_workspace_user", 2,
                        "google_workspace_group", 2,
                        "google_workspace_group_member", 4));
        // Groups as another API, Cloud Identity, has them.
        assertThat(rejected).hasSize(2).containsOnly("email: nothing (expected: a text)");
    }

    private static List<Output> member(String group, String id, String type, String kind) {
        String payload = JSON.createObjectNode()
                .put("groupId", group)
                .put("id", id)
                .put("type", type)
                .put("memberKind", kind)
                .toString();
        return Mappings.map(
                key("google_workspace_group_member", group + "/" + id).toString(), payload);
    }

    private static ResourceKey key(String kind, String id) {
        return new ResourceKey("google_workspace", "C0example", kind, id);
    }
}
