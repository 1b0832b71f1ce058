package io.elder.fetch.okta;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.elder.fetch.testkit.RecordingPublisher;
import io.elder.fetch.testkit.TestRun;
import io.elder.normalizer.mapping.Mappings;
import io.elder.runtime.Settings;
import io.elder.schemas.avro.ScopeFailed;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/**
 * Against emulate as {@code .ci/emulate.sh} starts it: somebody else's idea of Okta, which sends 30 users a page however many
 * are asked for, joins its links in one header, and numbers its pages.
 */
@Tag("installed")
class OktaInstalledServerTest {
    private static final String TOKEN = "token-of-the-test-4711";

    @BeforeEach
    void isThere() {
        assumeTrue(System.getenv("ELDER_TEST_OKTA_URL") != null, "no Okta: run .ci/emulate.sh start DIR");
    }

    @Test
    void readsEveryUserGroupAndMembershipOfTheSeedAndMapsThem() throws Exception {
        JsonNode seed = new ObjectMapper()
                .readTree(Path.of(System.getenv("ELDER_TEST_OKTA_ORG")).toFile())
                .path("okta");
        RecordingPublisher published = read();
        assertThat(published.events(ScopeFailed.class)).isEmpty();
        assertThat(published.seals()).hasSize(4);
        // Before the pipeline's test changes the org: modules are tested in this order.
        // With the user, the group and the membership that this server brings; before the pipeline's test changes the
        // org.
        Set<String> users = ids(published, "okta_user");
        assertThat(users).hasSize(5_000);
        assertThat(users.containsAll(texts(seed, "users", "okta_id"))).isTrue();
        Set<String> groups = ids(published, "okta_group");
        assertThat(groups).hasSize(400);
        assertThat(groups.containsAll(texts(seed, "groups", "okta_id"))).isTrue();
        Set<String> expected = new TreeSet<>();
        seed.path("group_memberships")
                .forEach(each -> expected.add(each.path("group_okta_id").asText() + "/"
                        + each.path("user_okta_id").asText()));
        assertThat(expected).hasSize(59_999);
        Set<String> members = ids(published, "okta_group_member");
        assertThat(members).hasSize(60_000);
        assertThat(members.containsAll(expected)).isTrue();
        assertThat(published.sealedRecords())
                .allSatisfy(record -> assertThat(Mappings.map(record.key().toString(), record.payload()))
                        .isNotEmpty());
    }

    private static Set<String> texts(JsonNode seed, String list, String field) {
        Set<String> texts = new TreeSet<>();
        seed.path(list).forEach(each -> texts.add(each.path(field).asText()));
        return texts;
    }

    private static Set<String> ids(RecordingPublisher published, String kind) {
        List<RecordingPublisher.Written> sealed = published.sealedRecords();
        return sealed.stream()
                .filter(record -> record.key().kind().equals(kind))
                .map(record -> record.key().id())
                .collect(Collectors.toSet());
    }

    private static RecordingPublisher read() throws InterruptedException {
        Settings settings = Settings.of(Map.of(
                "OKTA_DOMAIN",
                System.getenv("ELDER_TEST_OKTA_URL"),
                "OKTA_API_TOKEN",
                TOKEN,
                "OKTA_RATE_LIMIT",
                "1000"));
        try (TestRun<OktaClient> run = new TestRun<>(new OktaProvider(), settings, Set.of(TOKEN))) {
            return run.everything();
        }
    }
}
