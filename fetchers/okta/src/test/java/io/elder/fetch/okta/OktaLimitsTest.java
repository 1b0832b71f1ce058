package io.elder.fetch.okta;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.elder.estate.Directory;
import io.elder.estate.SimulatedOkta;
import io.elder.fetch.Provider;
import io.elder.fetch.testkit.RecordingPublisher;
import io.elder.fetch.testkit.TestRun;
import io.elder.runtime.Settings;
import io.elder.schemas.avro.PlanFailed;
import io.elder.schemas.avro.ScopeFailed;
import java.net.http.HttpHeaders;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** How the org's limits are met, and what an org of some size takes. */
class OktaLimitsTest {
    private final Directory directory = new Directory();
    private final SimulatedOkta okta = new SimulatedOkta(directory);
    private final Provider<OktaClient> provider = new OktaProvider();

    @AfterEach
    void close() {
        okta.close();
    }

    @Test
    void restsUntilTheResetBySomebodyElsesClockWhenATenthIsLeft() {
        // A server whose clock is years ahead of ours.
        HttpHeaders plenty = headers("600", "61", "1900000042");
        HttpHeaders scarce = headers("600", "60", "1900000042");
        assertThat(OktaClient.rest(plenty)).isEmpty();
        assertThat(OktaClient.rest(scarce)).contains(Duration.ofSeconds(43));
        assertThat(OktaClient.untilReset(plenty)).contains(Duration.ofSeconds(43));
        assertThat(OktaClient.rest(headers("600", "0", "1899999990"))).contains(Duration.ofSeconds(1));
        assertThat(OktaClient.rest(headers("600", "0", "soon"))).isEmpty();
        // Milliseconds, as another vendor's: nobody waits for thousands of years.
        assertThat(OktaClient.rest(headers("600", "0", "1900000042000"))).isEmpty();
        assertThat(OktaClient.rest(headers("600", null, "1900000042"))).isEmpty();
    }

    @Test
    void leavesNoLessThanWhatMayBeUnderWay() {
        assertThat(OktaClient.rest(headers("100", "17", "1900000042"))).isEmpty();
        assertThat(OktaClient.rest(headers("100", "16", "1900000042"))).isPresent();
        assertThat(OktaClient.rest(headers("10", "6", "1900000042"))).isEmpty();
        assertThat(OktaClient.rest(headers("10", "5", "1900000042"))).isPresent();
    }

    @Test
    void findsTheNextPageHoweverTheLinksAreSent() {
        String self = "<https://example.okta.com/api/v1/users?limit=200>; rel=\"self\"";
        String next = "<https://example.okta.com/api/v1/users?after=a,b&limit=200>; rel=\"next\"";
        String expected = "https://example.okta.com/api/v1/users?after=a,b&limit=200";
        assertThat(OktaClient.next(links(self, next))).isEqualTo(expected);
        assertThat(OktaClient.next(links(self + ", " + next))).isEqualTo(expected);
        assertThat(OktaClient.next(links(next + "," + self))).isEqualTo(expected);
        assertThat(OktaClient.next(links(next.replace("\"", "")))).isEqualTo(expected);
        assertThat(OktaClient.next(links("<https://example.okta.com/next>; rel=\"last\"; title=\"next\"")))
                .isNull();
        assertThat(OktaClient.next(links(self))).isNull();
        assertThat(OktaClient.next(links())).isNull();
    }

    @Test
    void membersOfManyGroupsAreReadAtOnceAndExactly() throws Exception {
        int groups = 300;
        fill(50, groups);
        okta.limit(1_000_000);
        try (TestRun<OktaClient> run = run(Map.of("OKTA_RATE_LIMIT", "100000"))) {
            RecordingPublisher published = run.everything();
            assertThat(published.events(ScopeFailed.class)).isEmpty();
            assertThat(counts(published))
                    .isEqualTo(Map.of(
                            "okta_org",
                            1,
                            "okta_user",
                            51,
                            // With Everyone, whose members are all users.
                            "okta_group",
                            groups + 1,
                            "okta_group_member",
                            50 * groups / 2 + groups + 51));
        }
    }

    @Test
    void doesNotRunIntoTheLimitButRestsBefore() throws Exception {
        fill(10, 100);
        okta.limit(60);
        try (TestRun<OktaClient> run = run(Map.of("OKTA_RATE_LIMIT", "100000"))) {
            // The run's clock does not wait, so what waits for the reset comes at once: it is the rest that is looked
            // for.
            run.plan().forEach(run::fetch);
            assertThat(run.pauses()).anyMatch(pause -> pause.compareTo(Duration.ofSeconds(30)) > 0);
        }
    }

    @Test
    void aThrottledRequestWaitsForTheEndOfTheMinute() throws Exception {
        fill(3, 2);
        okta.limit(1_000_000);
        okta.door().refuse(429, 2, call -> call.parameter("filter").isPresent());
        try (TestRun<OktaClient> run = run(Map.of("OKTA_SYNC_GROUPS", "false"))) {
            assertThat(counts(run.everything())).containsEntry("okta_user", 4);
            assertThat(run.pauses())
                    .filteredOn(pause -> pause.compareTo(Duration.ofSeconds(45)) > 0)
                    .hasSizeGreaterThanOrEqualTo(2);
        }
    }

    @Test
    void aTokenThatIsRefusedIsSaidSo() throws Exception {
        Map<String, String> wrong = Map.of("OKTA_API_TOKEN", "00-revoked-4711");
        try (TestRun<OktaClient> run = run(wrong)) {
            assertThat(run.everything().events(PlanFailed.class))
                    .singleElement()
                    .satisfies(failed -> {
                        assertThat(failed.getReason()).isEqualTo("bad_credentials");
                        assertThat(failed.getMessage()).contains("Invalid token provided", "OKTA_API_TOKEN");
                    });
        }
    }

    @Test
    void settingsSayWhatIsWrongWithThem() {
        for (String domain : List.of(
                "http://example.okta.com", "https://user:secret@example.okta.com", "example.okta.com/path", "a b")) {
            Settings settings = Settings.of(Map.of("OKTA_DOMAIN", domain, "OKTA_API_TOKEN", "t"));
            provider.readSettings(settings);
            assertThatThrownBy(settings::check).as(domain).hasMessageContaining("OKTA_DOMAIN");
        }
        for (String domain : List.of("example.okta.com", "https://example.okta.com/", "http://127.0.0.1:1234")) {
            Settings settings = Settings.of(Map.of("OKTA_DOMAIN", domain, "OKTA_API_TOKEN", "t"));
            provider.readSettings(settings);
            settings.check();
        }
    }

    @Test
    void aUserInTwoThousandGroupsIsInAllOfThem() throws Exception {
        fill(1, 2000);
        okta.limit(1_000_000);
        try (TestRun<OktaClient> run = run(Map.of("OKTA_RATE_LIMIT", "100000", "OKTA_SYNC_USERS", "false"))) {
            RecordingPublisher published = run.everything();
            assertThat(published.sealedRecords().stream()
                            .filter(record -> record.key().kind().equals("okta_group_member"))
                            .filter(record -> record.key().id().endsWith("/busy"))
                            .map(record -> record.key().id())
                            .distinct())
                    .hasSize(2001);
        }
    }

    @Test
    void whatIsNotWantedIsNotReadAndStaysAsItIs() throws Exception {
        fill(3, 2);
        try (TestRun<OktaClient> run = run(Map.of("OKTA_SYNC_GROUPS", "false"))) {
            assertThat(counts(run.everything())).isEqualTo(Map.of("okta_org", 1, "okta_user", 4));
        }
        try (TestRun<OktaClient> run = run(Map.of("OKTA_SYNC_USERS", "false"))) {
            assertThat(counts(run.everything()).keySet())
                    .containsExactlyInAnyOrder("okta_org", "okta_group", "okta_group_member");
        }
    }

    @Test
    void aRefusalInTheMidstOfManyGroupsSealsNoMembers() throws Exception {
        fill(10, 100);
        okta.limit(1_000_000);
        okta.door().refuse(403, 1, call -> call.path().endsWith("/groups/" + group(50) + "/users"));
        try (TestRun<OktaClient> run = run(Map.of("OKTA_RATE_LIMIT", "100000"))) {
            RecordingPublisher published = run.everything();
            assertThat(published.seals()).noneMatch(seal -> seal.scope().kind().equals("okta_group_member"));
            assertThat(published.events(ScopeFailed.class)).singleElement().satisfies(failed -> {
                assertThat(failed.getReason()).isEqualTo("forbidden");
                assertThat(failed.getMessage()).contains("the scope okta.groups.read");
            });
        }
    }

    /** Half of the users are in each group, and one user in all. */
    private void fill(int users, int groups) {
        IntStream.range(0, users).forEach(i -> directory.put(new Directory.User("u" + (1000 + i), "user" + i)));
        directory.put(new Directory.User("busy", "busy"));
        for (int g = 0; g < groups; g++) {
            directory.put(new Directory.Group(group(g), "group " + g % 7));
            for (int u = g % 2; u < users; u += 2) {
                directory.join(group(g), "u" + (1000 + u));
            }
            directory.join(group(g), "busy");
        }
    }

    private static String group(int number) {
        return "g" + (10_000 + number);
    }

    private TestRun<OktaClient> run(Map<String, String> more) {
        Map<String, String> settings = new HashMap<>(okta.settings());
        settings.putAll(more);
        return new TestRun<>(provider, Settings.of(settings), List.of(SimulatedOkta.TOKEN));
    }

    private static Map<String, Integer> counts(RecordingPublisher published) {
        Map<String, Integer> counts = new TreeMap<>();
        published.sealedRecords().stream()
                .map(RecordingPublisher.Written::key)
                .distinct()
                .forEach(key -> counts.merge(key.kind(), 1, Integer::sum));
        return counts;
    }

    private static HttpHeaders headers(String limit, String remaining, String reset) {
        Map<String, List<String>> headers = new HashMap<>();
        // https://www.epochconverter.com: 1900000000
        headers.put("Date", List.of("Sun, 17 Mar 2030 17:46:40 GMT"));
        headers.put("X-Rate-Limit-Limit", List.of(limit));
        headers.put("X-Rate-Limit-Reset", List.of(reset));
        if (remaining != null) {
            headers.put("X-Rate-Limit-Remaining", List.of(remaining));
        }
        return HttpHeaders.of(headers, (name, value) -> true);
    }

    private static HttpHeaders links(String... links) {
        return HttpHeaders.of(Map.of("Link", List.of(links)), (name, value) -> true);
    }
}
