package io.elder.fetch.okta;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.databind.DeserializationContext;
import com.fasterxml.jackson.databind.JsonDeserializer;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.deser.DeserializationProblemHandler;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.datatype.jsr310.JavaTimeModule;
import com.okta.sdk.resource.model.Group;
import com.okta.sdk.resource.model.User;
import com.okta.sdk.resource.model.UserStatus;
import io.elder.estate.Company;
import io.elder.estate.SimulatedOkta;
import io.elder.fetch.testkit.Answer;
import io.elder.fetch.testkit.Asked;
import io.elder.fetch.testkit.RecordingPublisher;
import io.elder.fetch.testkit.ScriptedServer;
import io.elder.fetch.testkit.TestRun;
import io.elder.normalizer.mapping.Mappings;
import io.elder.runtime.Settings;
import io.elder.schemas.avro.ScopeFailed;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.openapitools.jackson.nullable.JsonNullableModule;

/** What is asked and what is answered, held against the vendor's own descriptions of both. */
class OktaAnswersTest {
    private static final ObjectMapper JSON = new ObjectMapper();

    private final Set<String> unknown = new TreeSet<>();
    private final ObjectMapper okta = new ObjectMapper()
            .registerModule(new JsonNullableModule())
            .registerModule(new JavaTimeModule())
            .addHandler(new DeserializationProblemHandler() {
                @Override
                public boolean handleUnknownProperty(
                        DeserializationContext context,
                        JsonParser parser,
                        JsonDeserializer<?> deserializer,
                        Object bean,
                        String name)
                        throws IOException {
                    unknown.add(name);
                    parser.skipChildren();
                    return true;
                }
            });
    private ScriptedServer vendor;
    private RecordingPublisher published;

    @BeforeEach
    void readEverything() throws Exception {
        vendor = ScriptedServer.start(getClass());
        OktaVendor.script(vendor);
        try (TestRun<OktaClient> run = new TestRun<>(
                new OktaProvider(), Settings.of(OktaVendor.settings(vendor.url())), OktaVendor.secrets())) {
            published = run.everything();
        }
    }

    @AfterEach
    void stop() {
        vendor.close();
    }

    @Test
    void everyRequestIsOneOfTheSpecificationWithinItsBounds() throws Exception {
        JsonNode operations = JSON.readTree(vendor.text("vendor/operations.json"));
        Set<String> met = new TreeSet<>();
        Set<String> undescribed = new TreeSet<>();
        for (Asked request : vendor.asked()) {
            assertThat(request.header("Authorization")).isEqualTo("SSWS " + OktaVendor.TOKEN);
            check(request, operations, met, undescribed);
        }
        assertThat(met).containsExactly("listGroupUsers", "listGroups", "listUsers");
        // Described in another part of the specification, without parameters.
        assertThat(undescribed).containsExactly("/.well-known/okta-organization");
    }

    private static void check(Asked request, JsonNode operations, Set<String> met, Set<String> undescribed) {
        for (Map.Entry<String, JsonNode> operation : operations.properties()) {
            String path = operation.getValue().path("path").asText().replaceAll("\\{\\w+}", "[^/]+");
            if (request.path().matches(path)
                    && request.method()
                            .equals(operation.getValue().path("method").asText())) {
                met.add(operation.getKey());
                JsonNode known = operation.getValue().path("parameters");
                request.parameters().forEach((name, value) -> {
                    assertThat(known.has(name))
                            .as("%s has %s", operation.getKey(), name)
                            .isTrue();
                    int most = known.path(name).intValue();
                    if (most > 0) {
                        assertThat(Integer.parseInt(value)).isBetween(1, most);
                    }
                });
                return;
            }
        }
        undescribed.add(request.path());
    }

    @Test
    void oktasOwnClassesUnderstandWhatIsPublished() throws Exception {
        List<String> statuses = new ArrayList<>();
        for (JsonNode record : payloads("okta_user")) {
            User user = okta.treeToValue(record, User.class);
            assertThat(user.getId()).isEqualTo(record.path("id").asText());
            assertThat(user.getProfile().getLogin())
                    .isEqualTo(record.at("/profile/login").asText());
            statuses.add(user.getStatus().getValue());
        }
        assertThat(statuses).containsExactlyInAnyOrder("ACTIVE", "DEPROVISIONED", "STAGED");
        for (JsonNode record : payloads("okta_group")) {
            Group group = okta.treeToValue(record, Group.class);
            assertThat(group.getType().getValue()).isEqualTo(record.path("type").asText());
        }
        // In Okta's own example of a group, and dropped by Okta's own class: why this is read without them.
        assertThat(unknown).containsExactlyInAnyOrder("groupType", "groupScope", "objectSid");
    }

    @Test
    void oktasOwnClassesUnderstandTheSimulatedOrg() throws Exception {
        try (SimulatedOkta org = new SimulatedOkta(new Company());
                TestRun<OktaClient> run =
                        new TestRun<>(new OktaProvider(), Settings.of(org.settings()), OktaVendor.secrets())) {
            published = run.everything();
        }
        assertThat(payloads("okta_user")).hasSizeGreaterThan(500);
        for (JsonNode record : payloads("okta_user")) {
            assertThat(okta.treeToValue(record, User.class).getStatus()).isEqualTo(UserStatus.ACTIVE);
        }
        for (JsonNode record : payloads("okta_group")) {
            assertThat(okta.treeToValue(record, Group.class).getProfile()).isNotNull();
        }
        assertThat(unknown).isEmpty();
    }

    @Test
    void everyStatusThatOktasSdkKnowsHasAMeaning() throws Exception {
        JsonNode one = payloads("okta_user").getFirst();
        for (UserStatus status : UserStatus.values()) {
            if (status == UserStatus.UNKNOWN_DEFAULT_OPEN_API) {
                continue;
            }
            String payload = ((ObjectNode) one.deepCopy())
                    .put("status", status.getValue())
                    .toString();
            assertThat(Mappings.map("okta/example.okta.com/okta_user/1", payload))
                    .hasSize(2);
        }
    }

    @Test
    void everyRecordHasRows() {
        assertThat(published.records()).isNotEmpty().allSatisfy(record -> assertThat(
                        Mappings.map(record.key().toString(), record.payload()))
                .isNotEmpty());
    }

    @Test
    void nobodysQuestionForALostPasswordLeavesTheFetcher() throws Exception {
        assertThat(payloads("okta_user"))
                .hasSize(3)
                .noneMatch(user -> user.at("/credentials").has("recovery_question")
                        || user.at("/credentials").has("password"));
    }

    @Test
    void aFullPageWithoutAnyLinkIsNoEnd() throws Exception {
        String full = IntStream.range(0, 200)
                .mapToObj(number -> "{\"id\": \"u%d\"}".formatted(number))
                .collect(Collectors.joining(",", "[", "]"));
        Answer bare = Answer.of(200, full).header("Content-Type", "application/json");
        RecordingPublisher without = readUsers(bare);
        assertThat(without.seals()).noneMatch(seal -> seal.scope().kind().equals("okta_user"));
        assertThat(without.events(ScopeFailed.class)).singleElement().satisfies(failed -> {
            assertThat(failed.getReason()).isEqualTo("incomplete");
            assertThat(failed.getMessage()).contains("Link");
        });
        RecordingPublisher with = readUsers(bare.header("Link", "<{url}/api/v1/users>; rel=\"self\""));
        assertThat(with.events(ScopeFailed.class)).isEmpty();
        assertThat(with.seals()).anyMatch(seal -> seal.scope().kind().equals("okta_user") && seal.count() == 200);
    }

    private static RecordingPublisher readUsers(Answer users) throws Exception {
        try (ScriptedServer server = ScriptedServer.start(OktaAnswersTest.class)) {
            server.on(request -> request.parameters().containsKey("filter"), users);
            OktaVendor.script(server);
            try (TestRun<OktaClient> run = new TestRun<>(
                    new OktaProvider(), Settings.of(OktaVendor.settings(server.url())), OktaVendor.secrets())) {
                return run.everything();
            }
        }
    }

    private List<JsonNode> payloads(String kind) throws Exception {
        List<JsonNode> payloads = new ArrayList<>();
        for (RecordingPublisher.Written record : published.records()) {
            if (record.key().kind().equals(kind)) {
                payloads.add(JSON.readTree(record.payload()));
            }
        }
        return payloads;
    }
}
