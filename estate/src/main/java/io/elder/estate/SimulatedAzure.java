package io.elder.estate;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.elder.estate.Company.Machine;
import io.elder.estate.Company.Place;
import io.elder.estate.Company.State;
import io.elder.estate.Site.Call;
import io.elder.estate.Site.Reply;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;
import java.util.function.Function;

/**
 * Azure: an authority that gives out tokens, and the Resource Manager of one subscription with the company's machines there.
 * Microsoft's library asks for tokens over TLS only, so that the process must have been told to {@link #trustAuthority}.
 */
public final class SimulatedAzure implements SimulatedSystem {
    private static final String SUBSCRIPTION = "5ab1e000-0000-4000-8000-00000000e1de";
    private static final String TENANT = "5ab1e000-0000-4000-8000-0000000000aa";
    private static final String CLIENT = "5ab1e000-0000-4000-8000-0000000000bb";
    private static final String OF = "/subscriptions/" + SUBSCRIPTION;
    private static final String GROUP = OF + "/resourceGroups/machines";

    private static final Shape SUBSCRIPTION_SHAPE = new Shape("""
            {id: '/subscriptions/{subscription}', subscriptionId: '{subscription}', tenantId: '{tenant}', state: 'Enabled',
             displayName: 'Example production', subscriptionPolicies: {quotaId: 'EnterpriseAgreement_2014-09-01'}}""");

    private static final Shape RESOURCE_GROUP = new Shape("""
            {id: '{group}', name: 'machines', type: 'Microsoft.Resources/resourceGroups', location: 'germanywestcentral',
             properties: {provisioningState: 'Succeeded'}}""");

    private static final Shape MACHINE = new Shape("""
            {id: '{group}/providers/Microsoft.Compute/virtualMachines/{name}', name: '{name}',
             type: 'Microsoft.Compute/virtualMachines', location: 'germanywestcentral',
             tags: {service: '{service}', environment: '{environment}'},
             properties: {vmId: '00000000-0000-4000-8000-{hex}', provisioningState: 'Succeeded', timeCreated: '{since}',
               hardwareProfile: {vmSize: 'Standard_D{cores}s_v5'},
               storageProfile: {
                 imageReference: {publisher: 'Canonical', offer: 'ubuntu-24_04-lts', sku: 'server', version: 'latest'},
                 osDisk: {osType: 'Linux', name: '{name}-os', createOption: 'FromImage',
                   managedDisk: {id: '{group}/providers/Microsoft.Compute/disks/{name}-os'}}},
               osProfile: {computerName: '{name}'},
               networkProfile: {networkInterfaces: [{id: '{group}/providers/Microsoft.Network/networkInterfaces/{name}'}]}}}""");

    private static final Shape MACHINE_STATUS = new Shape("""
            {id: '{group}/providers/Microsoft.Compute/virtualMachines/{name}', name: '{name}',
             type: 'Microsoft.Compute/virtualMachines', location: 'germanywestcentral',
             properties: {instanceView: {statuses: [{code: 'ProvisioningState/succeeded', level: 'Info'},
               {code: 'PowerState/{power}', level: 'Info', displayStatus: 'VM {power}'}]}}}""");

    private static final Shape DISK = new Shape("""
            {id: '{group}/providers/Microsoft.Compute/disks/{name}-os', name: '{name}-os', type: 'Microsoft.Compute/disks',
             location: 'germanywestcentral', sku: {name: 'Premium_LRS', tier: 'Premium'},
             managedBy: '{group}/providers/Microsoft.Compute/virtualMachines/{name}',
             properties: {diskSizeGB: '{disk}', diskState: '{diskState}', osType: 'Linux', timeCreated: '{since}',
               provisioningState: 'Succeeded', creationData: {createOption: 'FromImage'},
               encryption: {type: 'EncryptionAtRestWithPlatformKey'}}}""");

    private static final Shape INTERFACE = new Shape("""
            {id: '{group}/providers/Microsoft.Network/networkInterfaces/{name}', name: '{name}',
             type: 'Microsoft.Network/networkInterfaces', location: 'germanywestcentral',
             properties: {provisioningState: 'Succeeded', primary: true, enableIPForwarding: false,
               virtualMachine: {id: '{group}/providers/Microsoft.Compute/virtualMachines/{name}'},
               networkSecurityGroup: {id: '{group}/providers/Microsoft.Network/networkSecurityGroups/machines'},
               ipConfigurations: [{name: 'primary',
                 id: '{group}/providers/Microsoft.Network/networkInterfaces/{name}/ipConfigurations/primary',
                 properties: {primary: true, privateIPAddress: '{ip}', privateIPAllocationMethod: 'Dynamic',
                   subnet: {id: '{group}/providers/Microsoft.Network/virtualNetworks/main/subnets/machines'}}}]}}""");

    private static final Shape NETWORK = new Shape("""
            {id: '{group}/providers/Microsoft.Network/virtualNetworks/main', name: 'main',
             type: 'Microsoft.Network/virtualNetworks', location: 'germanywestcentral',
             properties: {provisioningState: 'Succeeded', addressSpace: {addressPrefixes: ['10.3.0.0/16']},
               subnets: [{id: '{group}/providers/Microsoft.Network/virtualNetworks/main/subnets/machines', name: 'machines',
                 type: 'Microsoft.Network/virtualNetworks/subnets',
                 properties: {addressPrefix: '10.3.0.0/16', provisioningState: 'Succeeded'}}]}}""");

    private static final Shape SECURITY_GROUP = new Shape("""
            {id: '{group}/providers/Microsoft.Network/networkSecurityGroups/machines', name: 'machines',
             type: 'Microsoft.Network/networkSecurityGroups', location: 'germanywestcentral',
             properties: {provisioningState: 'Succeeded', securityRules: [{name: 'https-from-inside',
               properties: {priority: 100, direction: 'Inbound', access: 'Allow', protocol: 'Tcp',
                 sourceAddressPrefix: '10.0.0.0/8', destinationAddressPrefix: '*', destinationPortRange: '443'}}]}}""");

    private static final Shape TOKEN = new Shape("""
            {token_type: 'Bearer', expires_in: 3599, ext_expires_in: 3599, access_token: '{token}'}""");

    /** https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow#error-response-1 */
    private static final Shape WRONG_SECRET = new Shape("""
            {error: 'invalid_client', error_codes: [7000215],
             error_description: 'AADSTS7000215: Invalid client secret provided.'}""");

    private static final Shape ERROR = new Shape("{error: {code: '{code}', message: '{message}'}}");

    /** Types that the company has nothing of. */
    private static final List<String> EMPTY = List.of(
            "Microsoft.Compute/virtualMachineScaleSets",
            "Microsoft.Network/publicIPAddresses",
            "Microsoft.Network/loadBalancers",
            "Microsoft.Storage/storageAccounts",
            "Microsoft.ContainerService/managedClusters",
            "Microsoft.Sql/servers",
            "Microsoft.Web/sites");

    private static final Map<String, String> PLACES =
            Map.of("subscription", SUBSCRIPTION, "tenant", TENANT, "group", GROUP);

    private final Signed signed = Signed.make("CN=localhost");
    private final String secret = UUID.randomUUID().toString();
    private final String token = UUID.randomUUID().toString();
    private final Site authority = Site.startTls(signed.context());
    private final Site site = Site.start();

    public SimulatedAzure(Company company) {
        site.gate(this::refusal);
        authority.post("/" + TENANT + "/oauth2/v2.0/token", call -> {
            Map<String, String> form = Site.parameters(call.body());
            return CLIENT.equals(form.get("client_id")) && secret.equals(form.get("client_secret"))
                    ? Reply.json(TOKEN.of(Map.of("token", token)))
                    : Reply.json(401, WRONG_SECRET.of(Map.of()));
        });
        site.get(OF, call -> Reply.json(SUBSCRIPTION_SHAPE.of(PLACES)));
        list("/subscriptions", call -> one(SUBSCRIPTION_SHAPE));
        list(OF + "/resourcegroups", call -> one(RESOURCE_GROUP));
        String compute = OF + "/providers/Microsoft.Compute/";
        list(
                compute + "virtualMachines",
                call -> machines(call.parameter("statusOnly").isPresent() ? MACHINE_STATUS : MACHINE, company.now()));
        list(compute + "disks", call -> machines(DISK, company.now()));
        String network = OF + "/providers/Microsoft.Network/";
        list(network + "networkInterfaces", call -> machines(INTERFACE, company.now()));
        list(network + "virtualNetworks", call -> one(NETWORK));
        list(network + "networkSecurityGroups", call -> one(SECURITY_GROUP));
        EMPTY.forEach(type -> list(OF + "/providers/" + type, call -> JsonNodeFactory.instance.arrayNode()));
    }

    @Override
    public Map<String, String> settings() {
        return Map.of(
                "AZURE_ENABLED",
                "true",
                "AZURE_ENDPOINT_URL",
                site.url(),
                "AZURE_SUBSCRIPTION_IDS",
                SUBSCRIPTION,
                "AZURE_AUTHORITY_HOST",
                "https://localhost:" + authority.port(),
                "AZURE_TENANT_ID",
                TENANT,
                "AZURE_CLIENT_ID",
                CLIENT,
                "AZURE_CLIENT_SECRET",
                secret);
    }

    /** Makes this process trust the authority's certificate, beside those that it trusts anyway. */
    public void trustAuthority() {
        signed.becomeTrusted();
    }

    @Override
    public void close() {
        authority.close();
        site.close();
    }

    private Optional<Reply> refusal(Call call) {
        if (!call.header("authorization").equals(Optional.of("Bearer " + token))) {
            return Optional.of(error(401, "InvalidAuthenticationToken", "The access token is invalid."));
        }
        return call.parameter("api-version").isPresent()
                ? Optional.empty()
                : Optional.of(error(
                        400,
                        "MissingApiVersionParameter",
                        "The api-version query parameter (?api-version=) is required."));
    }

    private static Reply error(int status, String code, String message) {
        return Reply.json(status, ERROR.of(Map.of("code", code, "message", message)));
    }

    private void list(String path, Function<Call, ArrayNode> items) {
        site.get(path, call -> {
            ObjectNode page = JsonNodeFactory.instance.objectNode();
            page.set("value", items.apply(call));
            return Reply.json(page);
        });
    }

    private static ArrayNode one(Shape shape) {
        return JsonNodeFactory.instance.arrayNode().add(shape.of(PLACES));
    }

    private static ArrayNode machines(Shape shape, State state) {
        return shape.each(state.machines(Place.AZURE), SimulatedAzure::values);
    }

    private static Map<String, Object> values(Machine machine) {
        Map<String, Object> values = Shape.values(machine, 3);
        values.putAll(PLACES);
        values.put("power", machine.isRunning() ? "running" : "deallocated");
        values.put("diskState", machine.isRunning() ? "Attached" : "Reserved");
        return values;
    }
}
