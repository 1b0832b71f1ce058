package io.elder.estate;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.elder.estate.Company.Machine;
import io.elder.estate.Company.Place;
import io.elder.estate.Company.State;
import io.elder.estate.Site.Reply;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;
import java.util.function.Function;

/** Google Cloud: one project, with the company's machines there, and a service account for each of its services. */
public final class SimulatedGcp implements SimulatedSystem {
    private static final String PROJECT = "example-shop-prod";
    private static final String ZONE = "europe-west3-a";
    private static final String REGION = "europe-west3";
    private static final String LINK = "https://www.googleapis.com/compute/v1/projects/" + PROJECT;

    private static final Shape NOT_AUTHENTICATED = new Shape("""
            {error: {code: 401, status: 'UNAUTHENTICATED', message: 'Request had invalid authentication credentials.',
              errors: [{domain: 'global', reason: 'authError', message: 'Invalid Credentials'}]}}""");

    private static final Shape PROJECT_SHAPE = new Shape("""
            {name: 'projects/415104041262', projectId: '{project}', displayName: 'Example shop', state: 'ACTIVE',
             parent: 'organizations/298357488294', createTime: '2024-03-01T09:00:00Z', etag: 'W/"1"'}""");

    private static final Shape INSTANCE = new Shape("""
            {kind: 'compute#instance', id: '{number}000000', name: '{name}', status: '{status}',
             zone: '{link}/zones/{zone}', selfLink: '{link}/zones/{zone}/instances/{name}',
             machineType: '{link}/zones/{zone}/machineTypes/n2-standard-{cores}', creationTimestamp: '{since}',
             cpuPlatform: 'Intel Cascade Lake', deletionProtection: false,
             labels: {service: '{service}', environment: '{environment}'}, tags: {items: ['{service}']},
             networkInterfaces: [{name: 'nic0', networkIP: '{ip}', network: '{link}/global/networks/main',
               subnetwork: '{link}/regions/{region}/subnetworks/machines'}],
             disks: [{type: 'PERSISTENT', boot: true, mode: 'READ_WRITE', deviceName: '{name}',
               source: '{link}/zones/{zone}/disks/{name}'}],
             serviceAccounts: [{email: '{service}@{project}.iam.gserviceaccount.com',
               scopes: ['https://www.googleapis.com/auth/cloud-platform']}],
             scheduling: {preemptible: false, automaticRestart: true}, metadata: {items: []}}""");

    private static final Shape DISK = new Shape("""
            {kind: 'compute#disk', id: '{number}000001', name: '{name}', status: 'READY', sizeGb: '{size}',
             zone: '{link}/zones/{zone}', selfLink: '{link}/zones/{zone}/disks/{name}', creationTimestamp: '{since}',
             type: '{link}/zones/{zone}/diskTypes/pd-balanced', users: ['{link}/zones/{zone}/instances/{name}'],
             labels: {service: '{service}', environment: '{environment}'}}""");

    private static final Shape NETWORK = new Shape("""
            {kind: 'compute#network', id: '3000000', name: 'main', selfLink: '{link}/global/networks/main', mtu: 1460,
             autoCreateSubnetworks: false, routingConfig: {routingMode: 'REGIONAL'},
             subnetworks: ['{link}/regions/{region}/subnetworks/machines'], creationTimestamp: '2024-03-01T09:00:00Z'}""");

    private static final Shape SUBNETWORK = new Shape("""
            {kind: 'compute#subnetwork', id: '3000001', name: 'machines', network: '{link}/global/networks/main',
             region: '{link}/regions/{region}', selfLink: '{link}/regions/{region}/subnetworks/machines',
             ipCidrRange: '10.2.0.0/16', gatewayAddress: '10.2.0.1', purpose: 'PRIVATE', stackType: 'IPV4_ONLY',
             privateIpGoogleAccess: true, creationTimestamp: '2024-03-01T09:00:00Z'}""");

    private static final Shape FIREWALL = new Shape("""
            {kind: 'compute#firewall', id: '3000002', name: 'allow-internal', network: '{link}/global/networks/main',
             selfLink: '{link}/global/firewalls/allow-internal', direction: 'INGRESS', priority: 1000, disabled: false,
             sourceRanges: ['10.0.0.0/8'], allowed: [{IPProtocol: 'tcp', ports: ['22', '443']}, {IPProtocol: 'icmp'}],
             creationTimestamp: '2024-03-01T09:00:00Z'}""");

    private static final Shape ACCOUNT = new Shape("""
            {name: 'projects/{project}/serviceAccounts/{service}@{project}.iam.gserviceaccount.com',
             projectId: '{project}', uniqueId: '{id}', email: '{service}@{project}.iam.gserviceaccount.com',
             displayName: 'Machines of {service}', disabled: false}""");

    private static final Map<String, String> PLACES =
            Map.of("project", PROJECT, "link", LINK, "zone", ZONE, "region", REGION);

    private final String token = "ya29." + UUID.randomUUID();
    private final Site site = Site.start();

    public SimulatedGcp(Company company) {
        site.gate(call -> call.header("authorization").equals(Optional.of("Bearer " + token))
                ? Optional.empty()
                : Optional.of(Reply.json(401, NOT_AUTHENTICATED.of(Map.of()))));
        String project = "projects/" + PROJECT;
        site.get("/v3/" + project, call -> Reply.json(PROJECT_SHAPE.of(PLACES)));
        String compute = "/compute/v1/" + project;
        aggregated(company, compute, "instances", "zones/" + ZONE, state -> machines(INSTANCE, state));
        aggregated(company, compute, "disks", "zones/" + ZONE, state -> machines(DISK, state));
        aggregated(company, compute, "subnetworks", "regions/" + REGION, state -> one(SUBNETWORK));
        list(company, compute + "/global/networks", "items", state -> one(NETWORK));
        list(company, compute + "/global/firewalls", "items", state -> one(FIREWALL));
        list(company, "/storage/v1/b", "items", SimulatedGcp::none);
        list(company, "/v1/" + project + "/locations/-/clusters", "clusters", SimulatedGcp::none);
        list(
                company,
                "/v1/" + project + "/locations",
                "locations",
                state -> one(new Shape("{locationId: '{region}'}")));
        list(company, "/v2/" + project + "/locations/" + REGION + "/services", "services", SimulatedGcp::none);
        list(company, "/v2/" + project + "/locations/-/functions", "functions", SimulatedGcp::none);
        list(company, "/v1/" + project + "/instances", "items", SimulatedGcp::none);
        list(company, "/v1/" + project + "/serviceAccounts", "accounts", SimulatedGcp::accounts);
    }

    @Override
    public Map<String, String> settings() {
        return Map.of(
                "GCP_ENABLED",
                "true",
                "GCP_ENDPOINT_URL",
                site.url(),
                "GCP_PROJECT_IDS",
                PROJECT,
                "GCP_ACCESS_TOKEN",
                token);
    }

    @Override
    public void close() {
        site.close();
    }

    /** As Google does, a list without elements is left out. */
    private void list(Company company, String path, String field, Function<State, ArrayNode> items) {
        site.get(path, call -> {
            ArrayNode found = items.apply(company.now());
            ObjectNode page = JsonNodeFactory.instance.objectNode();
            if (!found.isEmpty()) {
                page.set(field, found);
            }
            return Reply.json(page);
        });
    }

    private void aggregated(
            Company company, String compute, String kind, String where, Function<State, ArrayNode> items) {
        site.get(compute + "/aggregated/" + kind, call -> {
            ArrayNode found = items.apply(company.now());
            ObjectNode page = JsonNodeFactory.instance.objectNode();
            ObjectNode scope = page.putObject("items").putObject(where);
            if (found.isEmpty()) {
                scope.putObject("warning")
                        .put("code", "NO_RESULTS_ON_PAGE")
                        .put("message", "There are no results for scope '" + where + "' on this page.");
            } else {
                scope.set(kind, found);
            }
            return Reply.json(page);
        });
    }

    private static ArrayNode none(State state) {
        return JsonNodeFactory.instance.arrayNode();
    }

    private static ArrayNode one(Shape shape) {
        return JsonNodeFactory.instance.arrayNode().add(shape.of(PLACES));
    }

    private static ArrayNode machines(Shape shape, State state) {
        return shape.each(state.machines(Place.GCP), SimulatedGcp::values);
    }

    private static Map<String, Object> values(Machine machine) {
        Map<String, Object> values = Shape.values(machine, 2);
        values.putAll(PLACES);
        values.put("status", machine.isRunning() ? "RUNNING" : "TERMINATED");
        // 64-bit numbers are texts in Google's JSON.
        values.put("size", String.valueOf(values.get("disk")));
        return values;
    }

    private static ArrayNode accounts(State state) {
        List<String> services = Company.services();
        return ACCOUNT.each(
                services,
                service -> Map.of(
                        "project",
                        PROJECT,
                        "service",
                        service,
                        "id",
                        "11500000000000000000" + services.indexOf(service)));
    }
}
