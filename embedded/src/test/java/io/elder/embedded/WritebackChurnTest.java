package io.elder.embedded;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.elder.embedded.WatchedProvider.Fate;
import io.elder.estate.Directory;
import io.elder.estate.SimulatedAuthentik;
import io.elder.estate.SimulatedOkta;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.UUID;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.MethodOrderer;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestMethodOrder;
import org.junit.jupiter.api.io.TempDir;

/** Random changes at both ends of Okta and Authentik, with full syncs between them; in fair weather, and then in none. */
@Tag("long")
@TestMethodOrder(MethodOrderer.OrderAnnotation.class)
class WritebackChurnTest {
    private static final Duration PATIENCE = Duration.ofMinutes(2);
    private static final int GROUPS = 12;
    private static final int USERS = 15;
    private static final List<String> REASONS = List.of("throttled", "broken", "no_answer");

    @TempDir
    static Path folder;

    private static SimulatedOkta okta;
    private static SimulatedAuthentik authentik;
    private static WatchedProvider watchedOkta;
    private static WatchedProvider watchedAuthentik;
    private static ChurnSite site;

    @BeforeAll
    static void start() throws Exception {
        okta = new SimulatedOkta(directory("00g", "00u"));
        authentik = new SimulatedAuthentik(directory("", ""));
        watchedOkta = new WatchedProvider("okta", okta.url(), "SSWS " + SimulatedOkta.TOKEN);
        watchedAuthentik = new WatchedProvider("authentik", authentik.url(), "Bearer " + SimulatedAuthentik.TOKEN);
        site = new ChurnSite(
                folder,
                Map.of("WRITEBACK_TIMEOUT", "1s", "WRITEBACK_MAX_RETRIES", "2"),
                Map.of("okta", SimulatedOkta.TOKEN, "authentik", SimulatedAuthentik.TOKEN),
                watchedOkta,
                watchedAuthentik);
        int initial = 0;
        for (int g = 0; g < GROUPS; g++) {
            for (int u = 0; u < USERS; u += 3) {
                watchedOkta.edit("00g" + g + "/00u" + (100 + u), true);
                watchedAuthentik.edit(uuid(g) + "/" + (100 + u), true);
                initial += 2;
            }
        }
        site.start(initial);
    }

    private static Directory directory(String group, String user) {
        Directory directory = new Directory();
        for (int g = 0; g < GROUPS; g++) {
            directory.put(new Directory.Group(group.isEmpty() ? uuid(g) : group + g, "team " + g));
        }
        for (int u = 0; u < USERS; u++) {
            directory.put(new Directory.User(user + (100 + u), "user" + u));
        }
        return directory;
    }

    private static String uuid(int group) {
        return new UUID(0x1111_2222_3333_4444L, 0x8888_0000_0000_0000L + group).toString();
    }

    @AfterAll
    static void stop() {
        site.close();
        watchedOkta.close();
        watchedAuthentik.close();
        okta.close();
        authentik.close();
    }

    @Test
    @Order(1)
    void everyChangeIsOneCallAndAllThreeAgree() throws Exception {
        site.churn(120, 20, 1);
        site.settle(true);
    }

    @Test
    @Order(2)
    void nothingIsLostOrDoneTwiceInAStorm() throws Exception {
        Random dice = new Random(7);
        Fate[] bad = {
            Fate.THROTTLED, Fate.BROKEN, Fate.DONE_AND_TIMED_OUT, Fate.DONE_AND_CUT, Fate.DONE_AND_LATE, Fate.BROKEN
        };
        for (WatchedProvider each : new WatchedProvider[] {watchedOkta, watchedAuthentik}) {
            each.fates(() -> {
                synchronized (dice) {
                    return dice.nextInt(3) > 0 ? Fate.ANSWERED : bad[dice.nextInt(bad.length)];
                }
            });
        }
        // On a busy machine the calls come late: until each trouble was met, there is more to do.
        for (int rounds = 0; rounds < 8 && !REASONS.stream().allMatch(this::wasMet); rounds++) {
            site.churn(60, 20, 2);
        }
        for (WatchedProvider each : new WatchedProvider[] {watchedOkta, watchedAuthentik}) {
            each.fates(() -> Fate.ANSWERED);
        }
        site.settle(false);
        assertThat(REASONS).allMatch(this::wasMet);
    }

    private boolean wasMet(String reason) {
        return site.metric("writeback_calls_again_total", "reason=\"" + reason + "\"") > 0;
    }

    @Test
    @Order(3)
    void aRevokedTokenIsSaidByHealthAndMetricsAndWhatWasWantedIsMadeLater() throws Exception {
        watchedOkta.fates(() -> Fate.REVOKED);
        watchedAuthentik.fates(() -> Fate.ANSWERED);
        int before = watchedOkta.effective();
        String free = site.addSomewhere("okta");
        await().atMost(PATIENCE).until(() -> site.health().contains("401"));
        assertThat(site.health()).contains("okta").doesNotContain(SimulatedOkta.TOKEN);
        assertThat(site.metric("writeback_calls_total", "outcome=\"failed\"", "provider=\"okta\""))
                .isPositive();
        // The other provider goes on meanwhile.
        String other = site.addSomewhere("authentik");
        await().atMost(PATIENCE).until(() -> watchedAuthentik.has(other));
        watchedOkta.fates(() -> Fate.ANSWERED);
        await().atMost(PATIENCE).until(() -> watchedOkta.has(free));
        await().atMost(PATIENCE).until(() -> !site.health().contains("401"));
        assertThat(watchedOkta.effective()).isEqualTo(before + 1);
    }
}
