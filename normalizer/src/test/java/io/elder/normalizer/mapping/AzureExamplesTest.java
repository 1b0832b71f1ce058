package io.elder.normalizer.mapping;

import static java.util.Map.entry;
import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.elder.schemas.ResourceKey;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** Every example that the vendor gives of what is read here maps, also those that a program filled. */
class AzureExamplesTest {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final Path EXAMPLES = Path.of("src/test/resources/azure-examples");

    /** What each file is of; a tenant is nothing that we read. */
    private static final Map<String, String> KINDS = Map.ofEntries(
            entry("Disk_ListBySubscription", "azure_disk"),
            entry("GetSubscriptions", "azure_subscription"),
            entry("GetTenants", ""),
            entry("ManagedClustersList", "azure_aks_cluster"),
            entry("NetworkInterfaceListAll", "azure_network_interface"),
            entry("ServerList", "azure_sql_server"),
            entry("ServerListWithExpandEqualsAdministrators", "azure_sql_server"),
            entry("StorageAccountList", "azure_storage_account"),
            entry("SubnetList", "azure_subnet"),
            entry("VirtualMachine_Get_InstanceView", "azure_vm"),
            entry("VirtualMachine_Get_InstanceViewAutoPlacedOnDedicatedHostGroup", "azure_vm"),
            entry("VirtualMachine_ListAll_MaximumSet_Gen", "azure_vm"),
            entry("VirtualMachine_ListAll_MinimumSet_Gen", "azure_vm"),
            entry("VirtualMachine_List_MaximumSet_Gen", "azure_vm"),
            entry("VirtualMachine_List_MinimumSet_Gen", "azure_vm"),
            entry("VirtualNetworkListAll", "azure_vnet"));

    @Test
    void everyExampleMaps() throws IOException {
        Map<String, Integer> mapped = new TreeMap<>();
        List<String> rejected = new ArrayList<>();
        for (Path file : files()) {
            String name = file.getFileName().toString().replace(".json", "");
            assertThat(KINDS).as("a file that nobody has looked at").containsKey(name);
            if (KINDS.get(name).isEmpty()) {
                continue;
            }
            for (ObjectNode item : items(JSON.readTree(file.toFile()).at("/responses/200/body"))) {
                try {
                    assertThat(map(KINDS.get(name), item)).as(name).isNotEmpty();
                    mapped.merge(name, 1, Integer::sum);
                } catch (RejectedRecord e) {
                    rejected.add(name + ": " + e.getMessage());
                }
            }
        }
        assertThat(mapped)
                .containsExactlyInAnyOrderEntriesOf(Map.ofEntries(
                        entry("Disk_ListBySubscription", 3),
                        entry("GetSubscriptions", 2),
                        entry("ManagedClustersList", 1),
                        entry("NetworkInterfaceListAll", 2),
                        entry("ServerList", 2),
                        entry("ServerListWithExpandEqualsAdministrators", 2),
                        entry("StorageAccountList", 6),
                        entry("SubnetList", 2),
                        entry("VirtualMachine_Get_InstanceView", 1),
                        entry("VirtualMachine_Get_InstanceViewAutoPlacedOnDedicatedHostGroup", 1),
                        entry("VirtualMachine_ListAll_MaximumSet_Gen", 2),
                        entry("VirtualMachine_ListAll_MinimumSet_Gen", 2),
                        entry("VirtualMachine_List_MaximumSet_Gen", 2),
                        entry("VirtualMachine_List_MinimumSet_Gen", 2),
                        entry("VirtualNetworkListAll", 2)));
        assertThat(rejected).as("those that would be dead letters").isEmpty();
    }

    private static List<Path> files() throws IOException {
        try (Stream<Path> files = Files.list(EXAMPLES)) {
            return files.filter(file -> file.toString().endsWith(".json"))
                    .sorted()
                    .toList();
        }
    }

    /** The items of a list; a view of an instance is a part of a machine. */
    private static List<ObjectNode> items(JsonNode body) {
        List<ObjectNode> items = new ArrayList<>();
        if (body.has("value")) {
            body.path("value").forEach(item -> items.add((ObjectNode) item));
        } else {
            ObjectNode machine = JSON.createObjectNode()
                    .put("id", "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/virtualMachines/m");
            machine.withObject("/properties").set("instanceView", body);
            items.add(machine);
        }
        return items;
    }

    private static List<Output> map(String kind, ObjectNode item) {
        String id = item.path("id").asText().toLowerCase(Locale.ROOT);
        return Mappings.map(new ResourceKey("azure", id.split("/")[2], kind, id).toString(), item.toString());
    }
}
