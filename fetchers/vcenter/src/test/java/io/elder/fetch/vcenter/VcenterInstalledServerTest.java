package io.elder.fetch.vcenter;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.elder.fetch.Verdict;
import io.elder.fetch.testkit.RecordingPublisher;
import io.elder.fetch.testkit.TestRun;
import io.elder.normalizer.mapping.Mappings;
import io.elder.normalizer.mapping.Output;
import io.elder.runtime.Settings;
import io.elder.schemas.avro.ScopeFailed;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Against vcsim as {@code .ci/vcsim.sh} starts it, with govc for the truth: both of the vendor's own makers. */
@Tag("installed")
class VcenterInstalledServerTest {
    private static final Pattern MOREF = Pattern.compile("\"moref\":\"([^\"]+)\"");

    @BeforeEach
    void isThere() {
        assumeTrue(System.getenv("ELDER_TEST_VCENTER_PORT") != null, "no vcsim: run .ci/vcsim.sh start DIR");
    }

    @Test
    void everythingIsReadExactlyInSmallPagesAndMapped() throws Exception {
        RecordingPublisher published = read(Map.of());
        assertThat(published.events(ScopeFailed.class)).isEmpty();
        Map<String, Set<String>> morefs = new TreeMap<>();
        for (RecordingPublisher.Written record : published.sealedRecords()) {
            moref(record.payload())
                    .ifPresent(moref -> morefs.computeIfAbsent(record.key().kind(), kind -> new HashSet<>())
                            .add(moref));
        }
        assertThat(morefs.get("vcenter_vm")).hasSize(500).isEqualTo(found("m"));
        assertThat(morefs.get("vcenter_host")).hasSize(26).isEqualTo(found("h"));
        assertThat(morefs.get("vcenter_datacenter")).hasSize(2).isEqualTo(found("d"));
        assertThat(morefs.get("vcenter_cluster")).hasSize(8).isEqualTo(found("ClusterComputeResource"));
        assertThat(morefs.get("vcenter_datastore")).hasSize(6).isEqualTo(found("s"));
        assertThat(morefs.get("vcenter_network")).hasSize(12).isEqualTo(found("n"));

        List<Output> rows = rows(published);
        List<String> keys = rows.stream().map(Output::key).toList();
        assertThat(keys).doesNotHaveDuplicates();
        Set<String> known = Set.copyOf(keys);
        assertThat(rows)
                .allMatch(row -> known.containsAll(row.row().getReferences().values()));
    }

    @Test
    void whatIsPoweredOffSuspendedDestroyedCreatedAndRenamedIsSeen() throws Exception {
        Map<String, Map<String, Object>> before = machines();
        govc("vm.power", "-off", "-force", "/DC0/vm/DC0_C0_RP0_VM1");
        govc("vm.power", "-suspend", "/DC0/vm/DC0_C0_RP0_VM2");
        govc("vm.destroy", "/DC0/vm/DC0_C0_RP0_VM3");
        govc("object.rename", "/DC0/vm/DC0_C0_RP0_VM4", "renamed");
        govc(
                "vm.create",
                "-dc=DC0",
                "-ds=LocalDS_0",
                "-pool=/DC0/host/DC0_C1/Resources",
                "-net=VM Network",
                "-on=false",
                "neu");
        try {
            Map<String, Map<String, Object>> after = machines();
            assertThat(after).hasSize(500);
            assertThat(difference(before, after)).containsExactly("DC0_C0_RP0_VM3");
            assertThat(difference(after, before)).containsExactly("neu");
            Map<String, String> statuses = new HashMap<>();
            after.values()
                    .forEach(row -> statuses.put(
                            row.get("name").toString(), row.get("status").toString()));
            assertThat(statuses)
                    .containsEntry("DC0_C0_RP0_VM1", "powered_off")
                    .containsEntry("DC0_C0_RP0_VM2", "suspended")
                    .containsEntry("DC0_C0_RP0_VM5", "powered_on")
                    .containsEntry("neu", "powered_off")
                    .containsKey("renamed")
                    .doesNotContainKey("DC0_C0_RP0_VM4");
        } finally {
            govc("vm.destroy", "/DC0/vm/neu");
            govc("object.rename", "/DC0/vm/renamed", "DC0_C0_RP0_VM4");
            govc("vm.power", "-on", "/DC0/vm/DC0_C0_RP0_VM1", "/DC0/vm/DC0_C0_RP0_VM2");
            govc(
                    "vm.create",
                    "-dc=DC0",
                    "-ds=LocalDS_0",
                    "-pool=/DC0/host/DC0_C0/Resources",
                    "-net=VM Network",
                    "DC0_C0_RP0_VM3");
        }
    }

    @Test
    void aWrongPasswordAndACertificateOfSomebodyElseAreToldApart() {
        assertThatThrownBy(() -> new VcenterProvider().connect(settings(Map.of("VCENTER_PASSWORD", "wrong"))))
                .satisfies(failure -> assertThat(Verdict.on(failure, new VcenterProvider()))
                        .isInstanceOfSatisfying(
                                Verdict.Stop.class,
                                stop -> assertThat(stop.reason().label()).isEqualTo("bad_credentials")));
        assertThatThrownBy(() -> new VcenterProvider().connect(settings(Map.of("VCENTER_CA_FILE", ""))))
                .satisfies(failure -> assertThat(Verdict.on(failure, new VcenterProvider()))
                        .isInstanceOfSatisfying(
                                Verdict.Stop.class,
                                stop -> assertThat(stop.reason().label()).isEqualTo("tls")));
    }

    @Test
    void withoutVerificationAnyCertificateWillDo() throws Exception {
        Settings settings = settings(Map.of("VCENTER_CA_FILE", "", "VCENTER_VERIFY_SSL", "false"));
        try (VcenterClient vcenter = new VcenterProvider().connect(settings)) {
            assertThat(new VcenterProvider().identity(vcenter))
                    .startsWith("reader-of-tests at 127.0.0.1: VMware vCenter Server");
        }
    }

    @Test
    void sessionsThatAreEndedByTheServerAreOpenedAgain() throws Exception {
        try (TestRun<VcenterClient> run = run(Map.of())) {
            run.plan().stream()
                    .filter(task -> task.getKind().equals("vcenter_datastore"))
                    .forEach(run::fetch);
            for (String line : govc("session.ls").split("\n")) {
                if (line.contains("Java-http-client")) {
                    govc("session.rm", line.split("\\s+")[0]);
                }
            }
            run.planned().stream()
                    .filter(task -> task.getKind().equals("vcenter_cluster"))
                    .forEach(run::fetch);
            assertThat(run.published().events(ScopeFailed.class)).isEmpty();
            assertThat(run.published().seals()).hasSize(2);
        }
        assertThat(govc("session.ls")).doesNotContain("Java-http-client");
    }

    /** Names, statuses and the like of the machines' rows, by their keys. */
    private static Map<String, Map<String, Object>> machines() throws InterruptedException {
        Map<String, Map<String, Object>> machines = new HashMap<>();
        rows(read(Map.of("VCENTER_PAGE_SIZE", "97"))).stream()
                .filter(row -> row.row().getTable().equals("entities")
                        && row.row().getValues().get("sub_type").equals("virtual_machine"))
                .forEach(row -> machines.put(row.key(), new HashMap<>(row.row().getValues())));
        return machines;
    }

    private static List<String> difference(
            Map<String, Map<String, Object>> all, Map<String, Map<String, Object>> without) {
        return all.entrySet().stream()
                .filter(each -> !without.containsKey(each.getKey()))
                .map(each -> each.getValue().get("name").toString())
                .toList();
    }

    private static List<Output> rows(RecordingPublisher published) {
        return published.sealedRecords().stream()
                .flatMap(record -> Mappings.map(record.key().toString(), record.payload()).stream())
                .toList();
    }

    private static RecordingPublisher read(Map<String, String> more) throws InterruptedException {
        try (TestRun<VcenterClient> run = run(more)) {
            return run.everything();
        }
    }

    private static TestRun<VcenterClient> run(Map<String, String> more) {
        return new TestRun<>(
                new VcenterProvider(), settings(more), Set.of(System.getenv("ELDER_TEST_VCENTER_PASSWORD")));
    }

    private static Settings settings(Map<String, String> more) {
        return Settings.of(Map.of(
                        "VCENTER_HOST",
                        "127.0.0.1",
                        "VCENTER_PORT",
                        System.getenv("ELDER_TEST_VCENTER_PORT"),
                        "VCENTER_CA_FILE",
                        System.getenv("ELDER_TEST_VCENTER_CA"),
                        "VCENTER_USERNAME",
                        "reader-of-tests",
                        "VCENTER_PASSWORD",
                        System.getenv("ELDER_TEST_VCENTER_PASSWORD"),
                        "VCENTER_RATE_LIMIT",
                        "500",
                        "VCENTER_PAGE_SIZE",
                        "17"))
                .with(more);
    }

    /** References of all objects of a type, as govc tells them: {@code VirtualMachine:vm-12}. */
    private static Set<String> found(String type) throws IOException, InterruptedException {
        return Arrays.stream(govc("find", "-i", "/", "-type", type).split("\n"))
                .map(line -> line.substring(line.indexOf(':') + 1).strip())
                .collect(Collectors.toSet());
    }

    private static String govc(String... arguments) throws IOException, InterruptedException {
        List<String> command = new ArrayList<>(List.of(System.getenv("ELDER_TEST_VCENTER_GOVC")));
        command.addAll(List.of(arguments));
        ProcessBuilder govc = new ProcessBuilder(command).redirectErrorStream(true);
        govc.environment()
                .putAll(Map.of(
                        "GOVC_URL",
                        "https://127.0.0.1:" + System.getenv("ELDER_TEST_VCENTER_PORT") + "/sdk",
                        "GOVC_USERNAME",
                        "reader-of-tests",
                        "GOVC_PASSWORD",
                        System.getenv("ELDER_TEST_VCENTER_PASSWORD"),
                        "GOVC_TLS_CA_CERTS",
                        System.getenv("ELDER_TEST_VCENTER_CA"),
                        "GOVC_PERSIST_SESSION",
                        "false"));
        Process process = govc.start();
        String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertThat(process.waitFor()).as("%s: %s", command, said).isZero();
        return said;
    }

    private static Optional<String> moref(String payload) {
        Matcher matcher = MOREF.matcher(payload);
        return matcher.find() ? Optional.of(matcher.group(1)) : Optional.empty();
    }
}
