package io.elder.fetch.lxd;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.elder.estate.Company;
import io.elder.estate.SimulatedLxd;
import io.elder.fetch.BadConfigurationException;
import io.elder.fetch.StopReason;
import io.elder.fetch.Verdict;
import io.elder.fetch.testkit.Answer;
import io.elder.fetch.testkit.Asked;
import io.elder.fetch.testkit.RecordingPublisher;
import io.elder.fetch.testkit.ScriptedServer;
import io.elder.fetch.testkit.TestRun;
import io.elder.normalizer.mapping.Mappings;
import io.elder.normalizer.mapping.Output;
import io.elder.runtime.Settings;
import io.elder.runtime.SettingsException;
import io.elder.schemas.avro.ScopeFailed;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.security.KeyPairGenerator;
import java.security.PrivateKey;
import java.security.interfaces.ECPrivateKey;
import java.security.spec.ECGenParameterSpec;
import java.time.Instant;
import java.util.Arrays;
import java.util.Base64;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What an LXD's answers mean, beyond what every provider's do. */
class LxdAnswersTest {
    /** Paths and the queries that LXD's specification knows for them, as far as we ask. */
    private static final Map<String, Set<String>> SPECIFIED = Map.of(
            "/1.0", Set.of("project", "target"),
            "/1.0/projects", Set.of("recursion", "filter"),
            "/1.0/instances", Set.of("recursion", "project", "filter", "all-projects"),
            "/1.0/images", Set.of("recursion", "project", "filter", "all-projects"),
            "/1.0/networks", Set.of("recursion", "project", "target", "all-projects"),
            "/1.0/storage-pools", Set.of("recursion", "project"),
            "/1.0/storage-pools/local/resources", Set.of("target"),
            "/1.0/cluster", Set.of(),
            "/1.0/cluster/members", Set.of("recursion"));

    private ScriptedServer vendor;

    @BeforeEach
    void start() throws Exception {
        vendor = ScriptedServer.start(getClass());
    }

    @AfterEach
    void stop() {
        vendor.close();
    }

    @Test
    void everyRequestIsOneThatTheSpecificationHas() throws Exception {
        vendor.on("GET /1.0/cluster", "cluster-none.json");
        vendor.on("GET /1.0/storage-pools/local/resources", "resources.json");
        LxdVendor.script(vendor);
        everything();
        assertThat(vendor.asked()).isNotEmpty().allSatisfy(asked -> {
            assertThat(asked.method()).isEqualTo("GET");
            assertThat(SPECIFIED).containsKey(asked.path());
            assertThat(SPECIFIED.get(asked.path()))
                    .containsAll(asked.parameters().keySet());
        });
    }

    @Test
    void aServerOnItsOwnHasNoMembersAndTellsHowFullItsPoolsAre() throws Exception {
        vendor.on("GET /1.0/cluster", "cluster-none.json");
        vendor.on("GET /1.0/storage-pools/local/resources", "resources.json");
        LxdVendor.script(vendor);
        RecordingPublisher published = everything();
        assertThat(published.events(ScopeFailed.class)).isEmpty();
        assertThat(published.sealedRecords())
                .noneMatch(record -> record.key().kind().equals("lxd_cluster_member"))
                .anyMatch(record -> record.payload().contains("270553174016"));
        // A pool that is out of order is not asked.
        assertThat(vendor.asked()).extracting(Asked::path).doesNotContain("/1.0/storage-pools/shared/resources");
    }

    @Test
    void optionsKeepTheirNamesAndOnlyHarmlessOnesTheirValues() throws Exception {
        LxdVendor.script(vendor);
        assertThat(everything().sealedRecords())
                .filteredOn(record -> record.key().id().equals("default/web"))
                .singleElement()
                .satisfies(record -> assertThat(record.payload())
                        .contains(
                                "\"limits.memory\":\"4GiB\"", "\"user.password\":null", "\"cloud-init.user-data\":null")
                        .doesNotContain("canary", "snapshots"));
    }

    @Test
    void networksAndImagesOfTheDefaultProjectAreNotReadAgainAsThoseOfOthers() throws Exception {
        LxdVendor.script(vendor);
        assertThat(everything().sealedRecords())
                .extracting(record -> record.key().kind() + " " + record.key().id())
                .contains("lxd_network default/lxdbr0", "lxd_image shop & co/" + "b".repeat(64))
                .doesNotContain("lxd_network shop & co/lxdbr0", "lxd_network default/eth0");
    }

    @Test
    void whoIsNotTrustedIsToldWhatToDo() {
        vendor.on("GET /1.0", "server-untrusted.json");
        assertThatThrownBy(() -> new LxdProvider().connect(Settings.of(LxdVendor.settings(vendor.url()))))
                .hasMessageContaining("lxc config trust add")
                .satisfies(failure -> assertThat(Verdict.on(failure, new LxdProvider()))
                        .isInstanceOfSatisfying(Verdict.Stop.class, stop -> assertThat(stop.reason())
                                .isEqualTo(StopReason.BAD_CREDENTIALS)));
    }

    @Test
    void anErrorInAnAnswerThatSaysSuccessSealsNothing() throws Exception {
        vendor.page("", "GET /1.0/cluster/members?recursion=1", LxdVendor.error(200, "database is locked"));
        LxdVendor.script(vendor);
        assertThat(everything().events(ScopeFailed.class)).singleElement().satisfies(failed -> {
            assertThat(failed.getReason()).isEqualTo("bad_response");
            assertThat(failed.getScope()).endsWith("/lxd_cluster_member");
        });
    }

    @Test
    void anInstanceWithoutANameSealsNothing() throws Exception {
        vendor.on(
                request -> request.path().equals("/1.0/instances"),
                Answer.of(200, "{\"type\": \"sync\", \"status_code\": 200, \"metadata\": [{\"status\": \"Running\"}]}")
                        .header("Content-Type", "application/json"));
        LxdVendor.script(vendor);
        RecordingPublisher published = everything();
        assertThat(published.seals()).noneMatch(seal -> seal.scope().kind().equals("lxd_instance"));
        assertThat(published.events(ScopeFailed.class)).singleElement().satisfies(failed -> {
            assertThat(failed.getReason()).isEqualTo("bad_response");
            assertThat(failed.getMessage()).contains("lxd_instance: an object without an id");
        });
    }

    @Test
    void settingsThatAreMissingOrWrongAreNamedTogetherAndSecretsAreNot() {
        assertThatThrownBy(() -> new LxdProvider()
                        .connect(Settings.of(Map.of(
                                "LXD_URL", "https://lxd.example.com:8443",
                                "LXD_TRUST_TOKEN", "not-a-token-4711",
                                "LXD_FINGERPRINT", "abc"))))
                .isInstanceOf(SettingsException.class)
                .hasMessageContainingAll("LXD_CERT", "LXD_KEY", "LXD_TRUST_TOKEN", "LXD_FINGERPRINT")
                .hasMessageNotContaining("4711");
        assertThatThrownBy(() -> new LxdProvider().connect(Settings.of(Map.of())))
                .isInstanceOf(SettingsException.class)
                .hasMessageContaining("LXD_URL");
    }

    @Test
    void aTrustTokenSaysWhereTheServerIsAndWhichCertificateItHas() {
        String token = Base64.getEncoder()
                .encodeToString(("{\"client_name\":\"elder\",\"fingerprint\":\"" + "ab".repeat(32)
                                + "\",\"addresses\":[\"192.0.2.20:8443\",\"[2001:db8::20]:8443\"],"
                                + "\"secret\":\"one-time-4711\",\"expires_at\":\"0001-01-01T00:00:00Z\"}")
                        .getBytes(StandardCharsets.UTF_8));
        LxdSettings settings = LxdSettings.from(
                Settings.of(Map.of("LXD_TRUST_TOKEN", token, "LXD_CERT", "certificate", "LXD_KEY", "key")));
        assertThat(settings.urls())
                .map(Object::toString)
                .containsExactly("https://192.0.2.20:8443", "https://[2001:db8::20]:8443");
        assertThat(settings.fingerprint()).contains("ab".repeat(32));
        assertThat(settings.name()).isEqualTo("192.0.2.20");
        assertThat(settings.toString()).doesNotContain("4711");
        assertThat(settings.token().orElseThrow().toString()).doesNotContain(token);
    }

    @Test
    void keysAreReadInTheFormsThatLxcAndOpensslWrite() throws Exception {
        KeyPairGenerator rsa = KeyPairGenerator.getInstance("RSA");
        rsa.initialize(1024);
        KeyPairGenerator curve = KeyPairGenerator.getInstance("EC");
        curve.initialize(new ECGenParameterSpec("secp384r1"));
        PrivateKey rsaKey = rsa.generateKeyPair().getPrivate();
        PrivateKey curveKey = curve.generateKeyPair().getPrivate();
        PrivateKey edwards =
                KeyPairGenerator.getInstance("Ed25519").generateKeyPair().getPrivate();
        for (PrivateKey key : List.of(rsaKey, curveKey, edwards)) {
            assertThat(ClientKey.key(pem("PRIVATE KEY", key.getEncoded()))).isEqualTo(key);
        }
        // PKCS#8 has the older form within: the last 04 82 and two bytes of length begin it.
        byte[] whole = rsaKey.getEncoded();
        byte[] pkcs1 = Arrays.copyOfRange(whole, 26, whole.length);
        assertThat(ClientKey.key(pem("RSA PRIVATE KEY", pkcs1))).isEqualTo(rsaKey);
        // SEC 1: version, the number, the curve.
        byte[] number = ((ECPrivateKey) curveKey).getS().toByteArray();
        byte[] sec1 = new byte[64];
        System.arraycopy(new byte[] {0x30, 0x3e, 2, 1, 1, 4, 0x30}, 0, sec1, 0, 7);
        int least = Math.min(48, number.length);
        System.arraycopy(number, number.length - least, sec1, 55 - least, least);
        System.arraycopy(new byte[] {(byte) 0xa0, 7, 6, 5, 0x2b, (byte) 0x81, 4, 0, 0x22}, 0, sec1, 55, 9);
        assertThat(ClientKey.key(pem("EC PRIVATE KEY", sec1))).isInstanceOfSatisfying(ECPrivateKey.class, read -> {
            assertThat(read.getS()).isEqualTo(((ECPrivateKey) curveKey).getS());
            assertThat(read.getParams().getOrder())
                    .isEqualTo(((ECPrivateKey) curveKey).getParams().getOrder());
        });
        for (String broken : List.of("", "secret-4711", pem("EC PRIVATE KEY", new byte[] {0x30, 3, 2, 1, 1}))) {
            assertThatThrownBy(() -> ClientKey.manager("no certificate", broken))
                    .isInstanceOf(BadConfigurationException.class)
                    .hasMessageNotContaining("4711");
        }
    }

    @Test
    void theCompanysInstancesAreReadExactlyOverTlsAndAsTheyChange() throws Exception {
        Company company = new Company();
        try (SimulatedLxd lxd = new SimulatedLxd(company)) {
            for (int round = 0; round < 3; round++) {
                assertThat(rows(everything(lxd.settings()))
                                .filter(row -> row.key().contains("/lxd_instance/")
                                        && row.row().getTable().equals("entities"))
                                .map(row -> row.row().getValues().get("name").toString()))
                        .containsExactlyInAnyOrderElementsOf(company.now().machines(Company.Place.LXD).stream()
                                .map(Company.Machine::name)
                                .toList());
                for (int i = 0; i < 60; i++) {
                    company.change(Instant.EPOCH);
                }
            }
        }
    }

    @Test
    void everyRecordOfTheCompanyIsMappedAndItsLinksLeadSomewhere() throws Exception {
        try (SimulatedLxd lxd = new SimulatedLxd(new Company())) {
            List<Output> rows = rows(everything(lxd.settings())).toList();
            List<String> keys = rows.stream().map(Output::key).toList();
            assertThat(keys).hasSizeGreaterThan(100).doesNotHaveDuplicates();
            Set<String> known = Set.copyOf(keys);
            assertThat(rows)
                    .allMatch(row -> known.containsAll(row.row().getReferences().values()));
        }
    }

    @Test
    void anotherServersCertificateAndAnUnknownOneOfOursAreRefused() {
        try (SimulatedLxd lxd = new SimulatedLxd(new Company());
                SimulatedLxd other = new SimulatedLxd(new Company())) {
            Map<String, String> wrongServer = new HashMap<>(lxd.settings());
            wrongServer.put("LXD_FINGERPRINT", other.settings().get("LXD_FINGERPRINT"));
            assertRefused(wrongServer, "expected: " + other.settings().get("LXD_FINGERPRINT"));

            Map<String, String> unknownServer = new HashMap<>(lxd.settings());
            unknownServer.remove("LXD_FINGERPRINT");
            assertRefused(unknownServer, "unable to find valid certification path");

            Map<String, String> unknownClient = new HashMap<>(lxd.settings());
            unknownClient.put("LXD_CERT", other.settings().get("LXD_CERT"));
            unknownClient.put("LXD_KEY", other.settings().get("LXD_KEY"));
            assertThatThrownBy(() -> new LxdProvider().connect(Settings.of(unknownClient)))
                    .isInstanceOf(IOException.class);
        }
    }

    private static void assertRefused(Map<String, String> settings, String words) {
        assertThatThrownBy(() -> new LxdProvider().connect(Settings.of(settings)))
                .satisfies(failure -> assertThat(Verdict.on(failure, new LxdProvider()))
                        .isInstanceOfSatisfying(Verdict.Stop.class, stop -> {
                            assertThat(stop.reason()).isEqualTo(StopReason.TLS);
                            assertThat(stop.message()).contains(words);
                        }));
    }

    private RecordingPublisher everything() throws InterruptedException {
        return everything(LxdVendor.settings(vendor.url()));
    }

    private static RecordingPublisher everything(Map<String, String> settings) throws InterruptedException {
        try (TestRun<LxdClient> run = new TestRun<>(new LxdProvider(), Settings.of(settings), Set.of())) {
            return run.everything();
        }
    }

    private static Stream<Output> rows(RecordingPublisher published) {
        return published.sealedRecords().stream()
                .flatMap(record -> Mappings.map(record.key().toString(), record.payload()).stream());
    }

    private static String pem(String what, byte[] der) {
        return "-----BEGIN " + what + "-----\n" + Base64.getMimeEncoder().encodeToString(der) + "\n-----END " + what
                + "-----\n";
    }
}
