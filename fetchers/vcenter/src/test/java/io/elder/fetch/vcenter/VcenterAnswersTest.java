package io.elder.fetch.vcenter;

import static io.elder.fetch.vcenter.VcenterVendor.call;
import static io.elder.fetch.vcenter.VcenterVendor.next;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.elder.estate.Company;
import io.elder.estate.SimulatedVcenter;
import io.elder.fetch.testkit.Answer;
import io.elder.fetch.testkit.Asked;
import io.elder.fetch.testkit.RecordingPublisher;
import io.elder.fetch.testkit.ScriptedServer;
import io.elder.fetch.testkit.TestRun;
import io.elder.normalizer.mapping.Mappings;
import io.elder.normalizer.mapping.Output;
import io.elder.runtime.Settings;
import io.elder.runtime.SettingsException;
import io.elder.schemas.avro.PlannedTask;
import io.elder.schemas.avro.ScopeFailed;
import java.time.Instant;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What a vCenter's answers mean, beyond what every provider's do. */
class VcenterAnswersTest {
    private static final ObjectMapper JSON = new ObjectMapper();

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
    void propertiesBecomeNestedFieldsOfTheirTypes() throws Exception {
        VcenterVendor.script(vendor);
        JsonNode machine = JSON.readTree(records(read("vcenter_vm")).stream()
                .filter(payload -> payload.contains("vm-101"))
                .findFirst()
                .orElseThrow());
        assertThat(machine.at("/config/hardware/numCPU").isInt()).isTrue();
        assertThat(machine.at("/config/template").isBoolean()).isTrue();
        assertThat(machine.at("/runtime/host").toString()).isEqualTo("{\"type\":\"HostSystem\",\"value\":\"host-10\"}");
        assertThat(machine.at("/network/0/type").asText()).isEqualTo("DistributedVirtualPortgroup");
        assertThat(machine.at("/guest/net/0/ipAddress").toString()).isEqualTo("[\"192.0.2.10\",\"2001:db8::10\"]");
        assertThat(machine.at("/guest/net/1/ipAddress").toString()).isEqualTo("[\"198.51.100.10\"]");
    }

    @Test
    void machinesTellTheirDatacentreFolderAndHostAlsoFromWithinAVapp() throws Exception {
        VcenterVendor.script(vendor);
        List<String> machines = records(read("vcenter_vm"));
        assertThat(machines).allSatisfy(payload -> assertThat(payload)
                .contains("\"datacenter\":\"datacenter-2\"", "\"hostName\":\"esx1.example.com\""));
        assertThat(machines)
                .filteredOn(payload -> payload.contains("vm-102"))
                .singleElement()
                .asString()
                .contains("\"folder\":\"/Berlin/vm/prod%2feu/shop\"");
    }

    @Test
    void theWordsOfALoginAreEscapedAndTheSessionIsKeptAndEnded() throws Exception {
        VcenterVendor.script(vendor);
        vendor.page("", call("Nothing"), "done.xml");
        read("vcenter_datastore");
        List<Asked> asked = vendor.asked();
        assertThat(asked).filteredOn(call("Login")).first().satisfies(login -> assertThat(login.body())
                .contains("<password>pass&lt;&amp;&gt;word-4711</password>"));
        assertThat(asked).filteredOn(call("Logout")).hasSize(1);
        assertThat(asked.stream().filter(call("DestroyView")).count())
                .isEqualTo(asked.stream().filter(call("CreateContainerView")).count());
    }

    @Test
    void aPropertyThatIsWithheldMakesTheReadIncompleteAndTheRightIsNamed() throws Exception {
        vendor.page("vcenter_vm", next("vms-2"), "vms-withheld.xml");
        VcenterVendor.script(vendor);
        RecordingPublisher published = read("vcenter_vm");
        assertThat(published.seals()).isEmpty();
        assertThat(published.events(ScopeFailed.class)).singleElement().satisfies(failed -> {
            assertThat(failed.getReason()).isEqualTo("forbidden");
            assertThat(failed.getMessage())
                    .contains("config.instanceUuid is withheld", "the privilege System.Read on VirtualMachine vm-105");
            // The others are told all the same.
            assertThat(failed.getCount()).isEqualTo(3);
        });
    }

    @Test
    void aFurtherPageOfWhichNothingIsSaidIsNoEnd() throws Exception {
        vendor.page("vcenter_vm", next("vms-2"), "done.xml");
        VcenterVendor.script(vendor);
        RecordingPublisher published = read("vcenter_vm");
        assertThat(published.seals()).isEmpty();
        assertThat(published.events(ScopeFailed.class))
                .singleElement()
                .satisfies(failed -> assertThat(failed.getReason()).isEqualTo("incomplete"));
    }

    @Test
    void aMachineThatVanishesWhileItIsReadIsNoMachineAnyMore() throws Exception {
        vendor.page("vcenter_vm", next("vms-2"), "vms-vanished.xml");
        VcenterVendor.script(vendor);
        RecordingPublisher published = read("vcenter_vm");
        assertThat(published.seals()).singleElement().satisfies(seal -> assertThat(seal.count())
                .isEqualTo(4));
    }

    @Test
    void aMachineThatCantBeIdentifiedKeepsAllFromBeingDeletedUnlessItIsToBeIgnored() throws Exception {
        vendor.page("vcenter_vm", next("vms-2"), "vms-inaccessible.xml");
        VcenterVendor.script(vendor);
        RecordingPublisher published = read("vcenter_vm");
        assertThat(published.seals()).isEmpty();
        assertThat(published.events(ScopeFailed.class)).singleElement().satisfies(failed -> {
            assertThat(failed.getReason()).isEqualTo("incomplete");
            assertThat(failed.getMessage()).contains("vm-107 (inaccessible)");
        });
        Map<String, String> settings = new HashMap<>(VcenterVendor.settings(vendor.url()));
        settings.put("VCENTER_IGNORE_INACCESSIBLE", "true");
        assertThat(read("vcenter_vm", settings).seals()).singleElement().satisfies(seal -> assertThat(seal.count())
                .isEqualTo(3));
    }

    @Test
    void anAnswerThatNamesAFileIsNotFollowed() throws Exception {
        vendor.page(
                "",
                "POST /sdk",
                Answer.of(
                        200,
                        "<!DOCTYPE x [<!ENTITY e SYSTEM \"file:///etc/hostname\">]><soapenv:Envelope"
                                + " xmlns:soapenv=\"http://schemas.xmlsoap.org/soap/envelope/\"><soapenv:Body>"
                                + "<RetrieveServiceContentResponse><returnval><about><instanceUuid>&e;</instanceUuid>"
                                + "</about></returnval></RetrieveServiceContentResponse></soapenv:Body></soapenv:Envelope>"));
        assertThatThrownBy(() -> new VcenterProvider().connect(Settings.of(VcenterVendor.settings(vendor.url()))))
                .isInstanceOf(VcenterFailure.class)
                .hasMessageContaining("expected: a SOAP answer");
    }

    @Test
    void missingSettingsAreNamedTogether() {
        assertThatThrownBy(() -> new VcenterProvider().connect(Settings.of(Map.of("VCENTER_PORT", "0"))))
                .isInstanceOf(SettingsException.class)
                .hasMessageContainingAll("VCENTER_HOST", "VCENTER_PORT", "VCENTER_USERNAME", "VCENTER_PASSWORD");
    }

    @Test
    void theCompanysMachinesAreReadExactlyInManyPagesAndAsTheyChange() throws Exception {
        Company company = new Company();
        try (SimulatedVcenter vcenter = new SimulatedVcenter(company)) {
            Map<String, String> settings = new HashMap<>(vcenter.settings());
            settings.put("VCENTER_PAGE_SIZE", "5");
            for (int round = 0; round < 3; round++) {
                List<String> names = rows(read("vcenter_vm", settings))
                        .filter(row -> row.row().getTable().equals("entities"))
                        .map(row -> row.row().getValues().get("name").toString())
                        .toList();
                assertThat(names)
                        .containsExactlyInAnyOrderElementsOf(company.now().machines(Company.Place.VCENTER).stream()
                                .map(Company.Machine::name)
                                .toList());
                for (int i = 0; i < 60; i++) {
                    company.change(Instant.EPOCH);
                }
            }
            assertThat(vcenter.sessionCount()).as("sessions left behind").isZero();
        }
    }

    @Test
    void everyRecordOfTheCompanyIsMappedAndItsLinksLeadSomewhere() throws Exception {
        try (SimulatedVcenter vcenter = new SimulatedVcenter(new Company());
                TestRun<VcenterClient> run = run(vcenter.settings())) {
            List<Output> rows = rows(run.everything()).toList();
            List<String> keys = rows.stream().map(Output::key).toList();
            assertThat(keys).doesNotHaveDuplicates();
            Set<String> known = Set.copyOf(keys);
            assertThat(rows)
                    .allMatch(row -> known.containsAll(row.row().getReferences().values()));
        }
    }

    @Test
    void aSessionThatEndsBetweenTwoTasksIsOpenedAgain() throws Exception {
        try (SimulatedVcenter vcenter = new SimulatedVcenter(new Company());
                TestRun<VcenterClient> run = run(vcenter.settings())) {
            for (PlannedTask task : run.plan()) {
                vcenter.endSessions();
                run.fetch(task);
            }
            assertThat(run.published().events(ScopeFailed.class)).isEmpty();
            assertThat(run.published().seals()).hasSize(7);
        }
    }

    private static TestRun<VcenterClient> run(Map<String, String> settings) {
        return new TestRun<>(new VcenterProvider(), Settings.of(settings), List.of(settings.get("VCENTER_PASSWORD")));
    }

    private RecordingPublisher read(String kind) throws InterruptedException {
        return read(kind, VcenterVendor.settings(vendor.url()));
    }

    private static RecordingPublisher read(String kind, Map<String, String> settings) throws InterruptedException {
        try (TestRun<VcenterClient> run = run(settings)) {
            run.plan().stream().filter(task -> task.getKind().equals(kind)).forEach(run::fetch);
            return run.published();
        }
    }

    private static List<String> records(RecordingPublisher published) {
        return published.sealedRecords().stream()
                .map(RecordingPublisher.Written::payload)
                .toList();
    }

    private static Stream<Output> rows(RecordingPublisher published) {
        return published.sealedRecords().stream()
                .flatMap(record -> Mappings.map(record.key().toString(), record.payload()).stream());
    }
}
