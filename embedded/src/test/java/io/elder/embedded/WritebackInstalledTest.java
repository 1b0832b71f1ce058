package io.elder.embedded;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.elder.estate.Directory;
import io.elder.estate.SimulatedAuthentik;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Thousands of random changes at both ends of another people's Okta and of an Authentik, with full syncs between them. */
@Tag("installed")
class WritebackInstalledTest {
    private static final int GROUPS = 40;
    private static final int USERS = 30;

    /** At each of the two. */
    private static final int CHANGES = Integer.getInteger("writeback.changes", 2000);

    private static final int PER_SECOND = Integer.getInteger("writeback.rate", 40);

    @TempDir
    static Path folder;

    private static WatchedProvider okta;
    private static WatchedProvider watchedAuthentik;
    private static SimulatedAuthentik authentik;
    private static ChurnSite site;

    @BeforeAll
    static void start() throws Exception {
        String url = System.getenv("ELDER_TEST_OKTA_EMPTY_URL");
        assumeTrue(url != null, "no Okta: run .ci/emulate.sh start DIR");
        okta = new WatchedProvider("okta", url, "SSWS of-the-test").limitedByToken();
        List<String> groups = new ArrayList<>();
        List<String> users = new ArrayList<>();
        Directory directory = new Directory();
        for (int g = 0; g < GROUPS; g++) {
            groups.add(okta.call("POST", "/api/v1/groups", "{\"profile\": {\"name\": \"team %d\"}}".formatted(g))
                    .path("id")
                    .asText());
            directory.put(new Directory.Group(uuid(g), "team " + g));
        }
        for (int u = 0; u < USERS; u++) {
            users.add(okta.call(
                            "POST",
                            "/api/v1/users",
                            "{\"profile\": {\"login\": \"user%1$d@example.com\", \"email\": \"user%1$d@example.com\"}}"
                                    .formatted(u))
                    .path("id")
                    .asText());
            directory.put(new Directory.User(String.valueOf(100 + u), "user" + u));
        }
        authentik = new SimulatedAuthentik(directory);
        watchedAuthentik = new WatchedProvider("authentik", authentik.url(), "Bearer " + SimulatedAuthentik.TOKEN);
        int initial = 0;
        for (int g = 0; g < GROUPS; g++) {
            for (int u = g % 3; u < USERS; u += 3) {
                okta.edit(groups.get(g) + "/" + users.get(u), true);
                watchedAuthentik.edit(uuid(g) + "/" + (100 + u), true);
                initial += 2;
            }
        }
        site = new ChurnSite(
                folder,
                Map.of(),
                Map.of("okta", "of-elder", "authentik", SimulatedAuthentik.TOKEN),
                okta,
                watchedAuthentik);
        site.start(initial);
    }

    private static String uuid(int group) {
        return new UUID(0x1111_2222_3333_4444L, 0x8888_0000_0000_0000L + group).toString();
    }

    @AfterAll
    static void stop() {
        if (site != null) {
            site.close();
            authentik.close();
            watchedAuthentik.close();
        }
        if (okta != null) {
            okta.close();
        }
    }

    @Test
    void thousandsOfChangesAreOneCallEachAndAllThreeAgree() throws Exception {
        site.churn(2 * CHANGES, PER_SECOND, 5);
        site.settle(true);
    }
}
