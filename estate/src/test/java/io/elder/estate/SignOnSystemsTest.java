package io.elder.estate;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Instant;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class SignOnSystemsTest {
    private static final String GROUP = "a5e1b3a0-0000-4000-8000-000000000001";

    private final HttpClient http = HttpClient.newHttpClient();
    private final Company company = new Company();
    private final SimulatedOkta okta = new SimulatedOkta(company);
    private final SimulatedAuthentik authentik = new SimulatedAuthentik(company);

    @AfterEach
    void close() {
        okta.close();
        authentik.close();
        http.close();
    }

    @Test
    void everybodyIsInBothAndInTheSameTeams() throws Exception {
        int people = company.now().people().size();
        int teams = company.now().teams().size();
        JsonNode users = json(authentik("GET", authentik, "/core/users/?page_size=1", ""));
        JsonNode groups = json(authentik("GET", authentik, "/core/groups/?page_size=1", ""));
        // Beside the people and the teams: an outpost, and Everyone.
        assertThat(users.at("/pagination/count").asInt()).isEqualTo(people + 1);
        assertThat(groups.at("/pagination/count").asInt()).isEqualTo(teams);
        assertThat(json(okta("GET", okta, "/api/v1/groups?limit=10000"))).hasSize(teams + 1);
        HttpResponse<String> first = okta("GET", okta, "/api/v1/users?limit=200");
        assertThat(json(first)).hasSize(200);
        assertThat(first.headers().firstValue("Link").orElseThrow()).contains("rel=\"self\"", "rel=\"next\"");
    }

    @Test
    void whatIsWrittenStaysWhateverHappensInTheCompany() throws Exception {
        Directory directory = authentik.directory();
        String group = directory.groups().firstKey();
        String user = directory.users().keySet().stream()
                .filter(id -> !directory.membersOf(group).containsKey(id))
                .findFirst()
                .orElseThrow();
        String body = "{\"pk\": " + user + "}";
        assertThat(authentik("POST", authentik, "/core/groups/" + group + "/add_user/", body)
                        .statusCode())
                .isEqualTo(204);
        company.lose(Company.Place.AWS);
        assertThat(directory.membersOf(group)).containsKey(user);
        assertThat(json(authentik("GET", authentik, "/core/groups/" + group + "/", ""))
                        .get("users"))
                .anyMatch(each -> each.asText().equals(user));
        assertThat(authentik("POST", authentik, "/core/groups/" + group + "/remove_user/", body)
                        .statusCode())
                .isEqualTo(204);
        assertThat(directory.membersOf(group)).doesNotContainKey(user);
        IntStream.range(0, 20).forEach(i -> company.change(Instant.EPOCH));
        assertThat(directory.membersOf(group)).doesNotContainKey(user);
    }

    @Test
    void aMembershipMayBeWrittenTwiceAndAnUnknownOneIsRefused() throws Exception {
        try (SimulatedOkta own = new SimulatedOkta(new Directory()
                .put(new Directory.User("u1", "ada"))
                .put(new Directory.Group("g1", "admins"))
                .put(new Directory.Group("g2", "from AD", "", true, List.of())))) {
            assertThat(okta("PUT", own, "/api/v1/groups/g1/users/u1").statusCode())
                    .isEqualTo(204);
            assertThat(okta("PUT", own, "/api/v1/groups/g1/users/u1").statusCode())
                    .isEqualTo(204);
            assertThat(json(okta("GET", own, "/api/v1/groups/g1/users"))).hasSize(1);
            assertThat(okta("PUT", own, "/api/v1/groups/g1/users/u2").statusCode())
                    .isEqualTo(404);
            assertThat(okta("PUT", own, "/api/v1/groups/g3/users/u1").statusCode())
                    .isEqualTo(404);
            assertThat(okta("PUT", own, "/api/v1/groups/g2/users/u1").statusCode())
                    .isEqualTo(501);
            assertThat(okta("DELETE", own, "/api/v1/groups/g1/users/u1").statusCode())
                    .isEqualTo(204);
            assertThat(own.directory().membersOf("g1")).isEmpty();
            assertThat(own.door().writes()).hasSize(6);
        }
    }

    @Test
    void refusesForAWhileAndLosesAnswers() throws Exception {
        Directory directory =
                new Directory().put(new Directory.User("7", "ada")).put(new Directory.Group(GROUP, "admins"));
        try (SimulatedAuthentik own = new SimulatedAuthentik(directory)) {
            own.door().refuse(503, 1);
            own.door().refuse(429, 1);
            assertThat(authentik("GET", own, "/core/users/", "").statusCode()).isEqualTo(503);
            assertThat(authentik("GET", own, "/core/users/", "").statusCode()).isEqualTo(429);
            assertThat(authentik("GET", own, "/core/users/", "").statusCode()).isEqualTo(200);
            own.door().loseAnswers(1);
            assertThat(authentik("POST", own, "/core/groups/" + GROUP + "/add_user/", "{\"pk\": 7}")
                            .statusCode())
                    .isEqualTo(504);
            assertThat(directory.membersOf(GROUP)).hasSize(1);
        }
    }

    @Test
    void oktaCountsDownAndThenThrottles() throws Exception {
        okta.limit(2);
        assertThat(okta("GET", okta, "/api/v1/groups?limit=1").headers().firstValue("X-Rate-Limit-Remaining"))
                .contains("1");
        assertThat(okta("GET", okta, "/api/v1/groups?limit=1").statusCode()).isEqualTo(200);
        HttpResponse<String> third = okta("GET", okta, "/api/v1/groups?limit=1");
        assertThat(third.statusCode()).isEqualTo(429);
        assertThat(json(third).get("errorCode").asText()).isEqualTo("E0000047");
        assertThat(third.headers().firstValue("X-Rate-Limit-Reset")).isPresent();
        assertThat(okta("GET", okta, "/api/v1/users/me").statusCode()).isEqualTo(200);
    }

    private HttpResponse<String> okta(String method, SimulatedOkta where, String path)
            throws IOException, InterruptedException {
        return send(method, where.url() + path, "SSWS " + SimulatedOkta.TOKEN, "");
    }

    private HttpResponse<String> authentik(String method, SimulatedAuthentik where, String path, String body)
            throws IOException, InterruptedException {
        return send(method, where.url() + "/api/v3" + path, "Bearer " + SimulatedAuthentik.TOKEN, body);
    }

    private HttpResponse<String> send(String method, String url, String authorization, String body)
            throws IOException, InterruptedException {
        return http.send(
                HttpRequest.newBuilder(URI.create(url))
                        .header("Authorization", authorization)
                        .method(
                                method,
                                body.isEmpty()
                                        ? HttpRequest.BodyPublishers.noBody()
                                        : HttpRequest.BodyPublishers.ofString(body))
                        .build(),
                HttpResponse.BodyHandlers.ofString());
    }

    private static JsonNode json(HttpResponse<String> answer) throws IOException {
        assertThat(answer.statusCode()).isLessThan(500);
        return Site.JSON.readTree(answer.body());
    }
}
