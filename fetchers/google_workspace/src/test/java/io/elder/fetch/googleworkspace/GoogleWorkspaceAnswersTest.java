package io.elder.fetch.googleworkspace;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.google.api.client.json.GenericJson;
import com.google.api.client.json.gson.GsonFactory;
import com.google.api.client.util.GenericData;
import com.google.api.services.directory.model.Groups;
import com.google.api.services.directory.model.Members;
import com.google.api.services.directory.model.OrgUnits;
import com.google.api.services.directory.model.User;
import com.google.api.services.directory.model.Users;
import io.elder.fetch.testkit.Asked;
import io.elder.fetch.testkit.RecordingPublisher;
import io.elder.fetch.testkit.ScriptedServer;
import io.elder.fetch.testkit.TestRun;
import io.elder.normalizer.mapping.Mappings;
import io.elder.runtime.Settings;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What is asked and what is answered, held against the vendor's own descriptions of both. */
class GoogleWorkspaceAnswersTest {
    private static final ObjectMapper JSON = new ObjectMapper();

    private ScriptedServer vendor;
    private RecordingPublisher published;

    @BeforeEach
    void readEverything() throws Exception {
        vendor = ScriptedServer.start(getClass());
        GoogleWorkspaceVendor.script(vendor);
        Settings settings = Settings.of(GoogleWorkspaceVendor.settings(vendor.url()));
        try (TestRun<GoogleWorkspaceClient> run =
                new TestRun<>(new GoogleWorkspaceProvider(), settings, GoogleWorkspaceVendor.secrets())) {
            published = run.everything();
        }
    }

    @AfterEach
    void stop() {
        vendor.close();
    }

    @Test
    void everyRequestIsOneOfTheDiscoveryDocumentWithinItsWordsAndBounds() throws IOException {
        JsonNode methods = JSON.readTree(vendor.text("vendor/methods.json"));
        TreeSet<String> met = new TreeSet<>();
        for (Asked request : vendor.asked()) {
            if (!request.path().equals("/token")) {
                met.add(check(request, methods));
            }
        }
        assertThat(met)
                .containsExactly(
                        "directory.groups.list",
                        "directory.members.list",
                        "directory.orgunits.list",
                        "directory.users.get",
                        "directory.users.list");
    }

    private static String check(Asked request, JsonNode methods) {
        for (Map.Entry<String, JsonNode> method : methods.properties()) {
            String pattern = method.getValue().path("path").textValue().replaceAll("\\{\\w+}", "[^/]+");
            if (request.path().matches(pattern)) {
                request.parameters().forEach((name, value) -> {
                    // Of every method of every API of Google's.
                    if (name.equals("fields")) {
                        return;
                    }
                    JsonNode known = method.getValue().path("parameters").path(name);
                    assertThat(known.isMissingNode())
                            .as("%s lacks %s", method.getKey(), name)
                            .isFalse();
                    if (known.has("most")) {
                        assertThat(Integer.parseInt(value))
                                .as("%s of %s", name, method.getKey())
                                .isBetween(1, known.path("most").intValue());
                    }
                    if (known.has("enum")) {
                        assertThat(known.path("enum"))
                                .extracting(JsonNode::textValue)
                                .contains(value);
                    }
                });
                return method.getKey();
            }
        }
        throw new AssertionError(request + " is no method of the discovery document");
    }

    @Test
    void everyTokenIsAskedForInTheAdministratorsNameForOneScopeOfTheMethodsThatNeedIt() throws IOException {
        TreeSet<String> scopes = new TreeSet<>();
        for (Asked request : vendor.asked()) {
            if (request.path().equals("/token")) {
                JsonNode claims = JSON.readTree(new String(
                        Base64.getUrlDecoder()
                                .decode(request.parameters().get("assertion").split("\\.")[1]),
                        StandardCharsets.UTF_8));
                assertThat(claims.path("sub").asText()).isEqualTo(GoogleWorkspaceVendor.ADMIN);
                assertThat(claims.path("iss").asText()).isEqualTo(GoogleWorkspaceVendor.EMAIL);
                assertThat(scopes.add(claims.path("scope").asText())).isTrue();
            } else {
                assertThat(request.header("Authorization")).isEqualTo("Bearer ya29.canary-token-4711");
            }
        }
        assertThat(scopes)
                .containsExactly(
                        "https://www.googleapis.com/auth/admin.directory.group.readonly",
                        "https://www.googleapis.com/auth/admin.directory.orgunit.readonly",
                        "https://www.googleapis.com/auth/admin.directory.user.readonly");
        JSON.readTree(vendor.text("vendor/methods.json")).forEach(method -> assertThat(method.path("scopes"))
                .extracting(JsonNode::textValue)
                .containsAnyElementsOf(scopes));
    }

    @Test
    void theVendorsOwnClassesReadTheFixturesAndKnowAllOfThem() throws IOException {
        read("admin.json", User.class);
        read("users-1.json", Users.class);
        read("users-2.json", Users.class);
        read("groups-1.json", Groups.class);
        read("groups-2.json", Groups.class);
        read("members-engineering-1.json", Members.class);
        read("members-engineering-2.json", Members.class);
        read("members-operations.json", Members.class);
        read("members-everybody.json", Members.class);
        // A field that was taken back years ago, and is still answered.
        assertThat(unknown("org-units.json", OrgUnits.class)).isSubsetOf("/organizationUnits/blockInheritance");
    }

    private void read(String fixture, Class<? extends GenericJson> type) throws IOException {
        assertThat(unknown(fixture, type)).as(fixture).isEmpty();
    }

    private List<String> unknown(String fixture, Class<? extends GenericJson> type) throws IOException {
        GenericJson read = GsonFactory.getDefaultInstance().fromString(vendor.text("vendor/" + fixture), type);
        assertThat(read).as(fixture).isNotEmpty();
        List<String> unknown = new ArrayList<>();
        unknown(read, "", unknown);
        return unknown.stream().distinct().toList();
    }

    private static void unknown(Object value, String path, List<String> unknown) {
        if (value instanceof GenericData data) {
            data.getUnknownKeys().keySet().forEach(name -> unknown.add(path + "/" + name));
        }
        if (value instanceof Map<?, ?> map) {
            map.forEach((name, each) -> unknown(each, path + "/" + name, unknown));
        } else if (value instanceof List<?> list) {
            list.forEach(each -> unknown(each, path, unknown));
        }
    }

    @Test
    void everyRecordIsMappedAndOnlyThoseFromOutsideGiveNoRow() {
        assertThat(published.sealedRecords()).hasSize(18);
        List<String> without = published.sealedRecords().stream()
                .filter(record ->
                        Mappings.map(record.key().toString(), record.payload()).isEmpty())
                .map(record -> record.key().id())
                .sorted()
                .toList();
        assertThat(without)
                .containsExactly(
                        "02grqrue1engine/partner@example.net",
                        "02grqrue3everyb/02grqrue9foreig",
                        "02grqrue3everyb/110000000000000000099");
    }

    @Test
    void usersLieInTheUnitThatTheirPathNamesAndUnknownPathsAreLookedForOnceMore() throws IOException {
        TreeMap<String, String> units = new TreeMap<>();
        for (RecordingPublisher.Written record : published.sealedRecords()) {
            if (record.key().kind().equals("google_workspace_user")) {
                JsonNode user = JSON.readTree(record.payload());
                units.put(
                        user.path("primaryEmail").asText(),
                        user.path("orgUnitId").asText("none"));
            }
        }
        assertThat(units)
                .isEqualTo(new TreeMap<>(Map.of(
                        "admin@example.com", "none",
                        "bob@example.com", "id:03ph8a2z1aaaaaa",
                        "carol@example.com", "id:03ph8a2z2bbbbbb",
                        "dave@example.org", "none")));
        assertThat(vendor.asked())
                .filteredOn(request -> request.path().endsWith("/orgunits"))
                .as("one for the units themselves, one for those who are in them, one for who is nowhere")
                .hasSize(3);
    }

    @Test
    void keysHaveTheCustomersIdAndNotItsAlias() {
        assertThat(published.sealedRecords())
                .allMatch(record -> record.key().account().equals("C0example"));
    }
}
