package io.elder.fetch.lxd;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.elder.fetch.Verdict;
import io.elder.fetch.testkit.RecordingPublisher;
import io.elder.fetch.testkit.TestRun;
import io.elder.normalizer.mapping.Mappings;
import io.elder.normalizer.mapping.Output;
import io.elder.runtime.Settings;
import io.elder.schemas.avro.ScopeFailed;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Against Debian's LXD as {@code .ci/lxd.sh} starts it, with its own {@code lxc} for the truth. */
@Tag("installed")
class LxdInstalledServerTest {
    private static final ObjectMapper JSON = new ObjectMapper();

    @BeforeEach
    void isThere() {
        assumeTrue(
                System.getenv("ELDER_TEST_LXD_URL") != null,
                "no LXD: .ci/lxd.sh start DIR was not run, or said why it does not come up here");
    }

    @Test
    void everythingIsReadExactlyAndMapped() throws Exception {
        RecordingPublisher published = read(trusted());
        assertThat(published.events(ScopeFailed.class)).isEmpty();
        Map<String, Long> counts = new TreeMap<>();
        published.seals().forEach(seal -> counts.put(seal.scope().kind(), seal.count()));
        assertThat(counts)
                .containsExactlyInAnyOrderEntriesOf(Map.of(
                        "lxd_server", 1L,
                        "lxd_project", 3L,
                        "lxd_instance", 25L,
                        "lxd_image", 2L,
                        "lxd_network", 1L,
                        "lxd_storage_pool", 1L,
                        "lxd_cluster_member", 0L));
        assertThat(instances(published)).isEqualTo(truth());
        assertThat(published.sealedRecords())
                .allSatisfy(record -> assertThat(record.payload()).doesNotContain("canary-4711"));

        List<Output> rows = rows(published);
        List<String> keys = rows.stream().map(Output::key).toList();
        assertThat(keys).doesNotHaveDuplicates();
        Set<String> known = Set.copyOf(keys);
        assertThat(rows)
                .allMatch(row -> known.containsAll(row.row().getReferences().values()));
        // From the image, to the pool, to the network.
        assertThat(rows.stream()
                        .filter(row -> row.key().contains("from-image#"))
                        .map(row -> row.row().getTable()))
                .containsExactlyInAnyOrder("dependencies", "dependencies", "network_entity_mappings");
    }

    @Test
    void whatIsMadeRenamedAndDeletedIsSeen() throws Exception {
        lxc("init", "--empty", "new-one", "--project", "shop");
        lxc("rename", "web-1", "web-renamed");
        lxc("delete", "web-2");
        try {
            Set<String> found = instances(read(trusted()));
            assertThat(found)
                    .isEqualTo(truth())
                    .contains("shop/new-one", "default/web-renamed", "shop/web-2")
                    .doesNotContain("default/web-1", "default/web-2");
        } finally {
            lxc("delete", "new-one", "--project", "shop");
            lxc("rename", "web-renamed", "web-1");
            lxc("init", "--empty", "web-2");
        }
    }

    @Test
    void aTrustTokenLetsANewCertificateInOnceAndNamesTheServersCertificate() throws Exception {
        assertRefused(newcomer(), "bad_credentials", "lxc config trust add");
        String said = lxc("config", "trust", "add", "--name", "newcomer");
        String token = said.strip().substring(said.strip().lastIndexOf('\n') + 1);
        Map<String, String> introduced = newcomer();
        introduced.remove("LXD_URL");
        introduced.remove("LXD_FINGERPRINT");
        introduced.put("LXD_TRUST_TOKEN", token);
        try {
            try (LxdClient lxd = new LxdProvider().connect(Settings.of(introduced))) {
                assertThat(new LxdProvider().identity(lxd)).contains(": LXD 5.").doesNotContain(token);
            }
            // It stays trusted, with the token that was used and without it.
            assertThat(instances(read(introduced))).hasSize(25);
            assertThat(instances(read(newcomer()))).hasSize(25);
        } finally {
            for (JsonNode each : JSON.readTree(lxc("config", "trust", "list", "--format", "json"))) {
                if (each.path("name").asText().equals("newcomer")) {
                    lxc("config", "trust", "remove", each.path("fingerprint").asText());
                }
            }
        }
        assertRefused(introduced, "bad_credentials", "a token that was not used yet");
    }

    @Test
    void theServersCertificateIsCheckedUnlessToldOtherwise() throws Exception {
        Map<String, String> settings = trusted();
        settings.remove("LXD_FINGERPRINT");
        assertRefused(settings, "tls", "unable to find valid certification path");
        settings.put("LXD_FINGERPRINT", "ab".repeat(32));
        assertRefused(settings, "tls", "expected: " + "ab".repeat(32));
        settings.remove("LXD_FINGERPRINT");
        settings.put("LXD_CA_FILE", folder().resolve("lxd/server.crt").toString());
        assertThat(instances(read(settings))).hasSize(25);
        settings.remove("LXD_CA_FILE");
        settings.put("LXD_VERIFY_CERT", "false");
        assertThat(instances(read(settings))).hasSize(25);
    }

    private static void assertRefused(Map<String, String> settings, String reason, String words) {
        assertThatThrownBy(() -> new LxdProvider().connect(Settings.of(settings)))
                .satisfies(failure -> assertThat(Verdict.on(failure, new LxdProvider()))
                        .isInstanceOfSatisfying(Verdict.Stop.class, stop -> {
                            assertThat(stop.reason().label()).isEqualTo(reason);
                            assertThat(stop.message()).contains(words);
                        }));
    }

    private static Path folder() {
        return Path.of(System.getenv("ELDER_TEST_LXD_FOLDER"));
    }

    private static Map<String, String> trusted() throws Exception {
        return settings("trusted.crt", "trusted.sec1.key");
    }

    private static Map<String, String> newcomer() throws Exception {
        return settings("newcomer.crt", "newcomer.key");
    }

    private static Map<String, String> settings(String certificate, String key) throws Exception {
        String server = Files.readString(folder().resolve("lxd/server.crt"));
        return new HashMap<>(Map.of(
                "LXD_URL",
                System.getenv("ELDER_TEST_LXD_URL"),
                "LXD_CERT",
                Files.readString(folder().resolve(certificate)),
                "LXD_KEY",
                // On one line, as environment files have it.
                Files.readString(folder().resolve(key)).replace("\n", "\\n"),
                "LXD_FINGERPRINT",
                ClientKey.fingerprint(server),
                "LXD_RATE_LIMIT",
                "200"));
    }

    private static RecordingPublisher read(Map<String, String> settings) throws InterruptedException {
        try (TestRun<LxdClient> run = new TestRun<>(new LxdProvider(), Settings.of(settings), Set.of())) {
            return run.everything();
        }
    }

    private static Set<String> instances(RecordingPublisher published) {
        Set<String> instances = new TreeSet<>();
        published.sealedRecords().stream()
                .filter(record -> record.key().kind().equals("lxd_instance"))
                .forEach(record -> instances.add(record.key().id()));
        return instances;
    }

    private static Set<String> truth() throws IOException, InterruptedException {
        Set<String> instances = new TreeSet<>();
        for (JsonNode each : JSON.readTree(lxc("list", "--all-projects", "--format", "json"))) {
            instances.add(
                    each.path("project").asText() + "/" + each.path("name").asText());
        }
        return instances;
    }

    private static List<Output> rows(RecordingPublisher published) {
        return published.sealedRecords().stream()
                .flatMap(record -> Mappings.map(record.key().toString(), record.payload()).stream())
                .toList();
    }

    private static String lxc(String... arguments) throws IOException, InterruptedException {
        List<String> command = new ArrayList<>(List.of("lxc"));
        command.addAll(List.of(arguments));
        ProcessBuilder lxc = new ProcessBuilder(command);
        lxc.environment().put("LXD_DIR", folder().resolve("lxd").toString());
        lxc.environment().put("LXD_CONF", folder().resolve("lxc").toString());
        lxc.redirectInput(ProcessBuilder.Redirect.from(Path.of("/dev/null").toFile()));
        lxc.redirectError(ProcessBuilder.Redirect.INHERIT);
        Process process = lxc.start();
        String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertThat(process.waitFor()).as("%s: %s", command, said).isZero();
        return said;
    }
}
