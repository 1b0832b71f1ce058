package io.elder.bench;

import java.security.GeneralSecurityException;
import java.security.KeyPairGenerator;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/** How the lists of one provider look: which kind is read, in pages of which size, and what a page and a login are. */
sealed interface Vendor {
    static List<Vendor> all() {
        return List.of(new Aws(), new Azure(), new Gcp(), new Kubernetes());
    }

    /** @param parameters of the query or the form */
    record Request(String path, Map<String, String> parameters, String url) {}

    record Throttling(int status, String body) {}

    String provider();

    String kind();

    /** As many as the vendor gives at once. */
    int pageSize();

    /** How many lists it takes to read the kind. */
    default int lists() {
        return 1;
    }

    String account(int chain);

    default String region(int chain) {
        return "-";
    }

    /** Settings of a fetcher that reads so many accounts or regions. */
    Map<String, String> settings(String url, int chains);

    boolean isPage(Request request);

    /** The parameter that says where a page begins. */
    String cursor();

    String page(Request request, int from, int to, int all);

    /** The answer to whatever is no page; empty if there is none. */
    String other(Request request);

    Throttling throttling();

    private static String items(int from, int to, java.util.function.IntFunction<String> item) {
        return IntStream.range(from, to).mapToObj(item).collect(Collectors.joining(","));
    }

    private static String ip(int i) {
        return "10." + ((i >> 16) & 255) + "." + ((i >> 8) & 255) + "." + (i & 255);
    }

    /** Instances of one account, by region. */
    record Aws() implements Vendor {
        private static final String ACCOUNT = "123456789012";

        @Override
        public String provider() {
            return "aws";
        }

        @Override
        public String kind() {
            return "ec2_instance";
        }

        @Override
        public int pageSize() {
            return 1000;
        }

        @Override
        public String account(int chain) {
            return ACCOUNT;
        }

        @Override
        public String region(int chain) {
            return "us-bench-" + (chain + 1);
        }

        @Override
        public Map<String, String> settings(String url, int chains) {
            return Map.of(
                    "AWS_ENDPOINT_URL",
                    url,
                    "AWS_REGIONS",
                    IntStream.range(0, chains).mapToObj(this::region).collect(Collectors.joining(",")),
                    "AWS_ACCESS_KEY_ID",
                    "AKIAELDERBENCH",
                    "AWS_SECRET_ACCESS_KEY",
                    "of-no-use-anywhere");
        }

        @Override
        public boolean isPage(Request request) {
            return "DescribeInstances".equals(request.parameters().get("Action"));
        }

        @Override
        public String cursor() {
            return "NextToken";
        }

        @Override
        public String page(Request request, int from, int to, int all) {
            StringBuilder xml = new StringBuilder((to - from) * 1100 + 300);
            xml.append("<DescribeInstancesResponse xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\">")
                    .append("<requestId>bench</requestId><reservationSet>");
            for (int i = from; i < to; i++) {
                xml.append("""
                        <item><reservationId>r-%1$x</reservationId><ownerId>%2$s</ownerId><instancesSet><item>\
                        <instanceId>i-%1$017x</instanceId><imageId>ami-0abcdef1234567890</imageId><instanceState>\
                        <code>16</code><name>running</name></instanceState><privateDnsName>ip.ec2.internal</privateDnsName>\
                        <instanceType>t3.medium</instanceType><launchTime>2026-01-01T00:00:00.000Z</launchTime><placement>\
                        <availabilityZone>us-bench-1a</availabilityZone><tenancy>default</tenancy></placement>\
                        <subnetId>subnet-%3$d</subnetId><vpcId>vpc-1</vpcId><privateIpAddress>%4$s</privateIpAddress>\
                        <architecture>x86_64</architecture><groupSet><item><groupId>sg-1</groupId><groupName>web</groupName>\
                        </item></groupSet><tagSet><item><key>Name</key><value>web-%1$d</value></item></tagSet></item>\
                        </instancesSet></item>""".formatted(i, ACCOUNT, i % 50, ip(i)));
            }
            xml.append("</reservationSet>");
            if (to < all) {
                xml.append("<nextToken>").append(to).append("</nextToken>");
            }
            return xml.append("</DescribeInstancesResponse>").toString();
        }

        @Override
        public String other(Request request) {
            return "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><GetCallerIdentityResult>"
                    + "<Arn>arn:aws:iam::" + ACCOUNT + ":user/bench</Arn><UserId>AIDABENCH</UserId><Account>" + ACCOUNT
                    + "</Account></GetCallerIdentityResult></GetCallerIdentityResponse>";
        }

        @Override
        public Throttling throttling() {
            return new Throttling(
                    503,
                    "<Response><Errors><Error><Code>RequestLimitExceeded</Code><Message>Request limit exceeded.</Message>"
                            + "</Error></Errors><RequestID>bench</RequestID></Response>");
        }
    }

    /** Machines of subscriptions: a list of them, and a list of their states. The vendor names no page size. */
    record Azure() implements Vendor {
        private static final String TYPE = "/providers/Microsoft.Compute/virtualMachines";

        @Override
        public String provider() {
            return "azure";
        }

        @Override
        public String kind() {
            return "azure_vm";
        }

        @Override
        public int pageSize() {
            return 250;
        }

        @Override
        public int lists() {
            return 2;
        }

        @Override
        public String account(int chain) {
            return "00000000-0000-0000-0000-%012d".formatted(chain);
        }

        @Override
        public String region(int chain) {
            return "global";
        }

        @Override
        public Map<String, String> settings(String url, int chains) {
            return Map.of(
                    "AZURE_ENDPOINT_URL",
                    url,
                    "AZURE_SUBSCRIPTION_IDS",
                    IntStream.range(0, chains).mapToObj(this::account).collect(Collectors.joining(",")),
                    // As an App Service would have it:
                    // https://learn.microsoft.com/azure/app-service/overview-managed-identity
                    "AZURE_USE_MANAGED_IDENTITY",
                    "true",
                    "IDENTITY_ENDPOINT",
                    url + "/msi/token",
                    "IDENTITY_HEADER",
                    "of-no-use-anywhere");
        }

        @Override
        public boolean isPage(Request request) {
            return request.path().endsWith(TYPE);
        }

        @Override
        public String cursor() {
            return "$skiptoken";
        }

        @Override
        public String page(Request request, int from, int to, int all) {
            boolean isOfStates = request.parameters().containsKey("statusOnly");
            String below = request.path().substring(0, request.path().indexOf(TYPE)) + "/resourceGroups/shop" + TYPE;
            String next = to == all
                    ? ""
                    : ",\"nextLink\":\"" + request.url() + request.path() + "?api-version=2024-07-01"
                            + (isOfStates ? "&statusOnly=true" : "") + "&$skiptoken=" + to + "\"";
            return "{\"value\":[" + items(from, to, i -> isOfStates ? states(below, i) : machine(below, i)) + "]" + next
                    + "}";
        }

        private static String machine(String below, int i) {
            return """
                    {"id":"%1$s/web-%2$d","name":"web-%2$d","type":"Microsoft.Compute/virtualMachines","location":"westeurope",\
                    "tags":{"team":"shop"},"properties":{"vmId":"%2$032x","hardwareProfile":{"vmSize":"Standard_D2s_v5"},\
                    "storageProfile":{"imageReference":{"publisher":"Canonical","offer":"ubuntu-24_04-lts","sku":"server"},\
                    "osDisk":{"osType":"Linux","name":"web-%2$d-os","createOption":"FromImage","managedDisk":{"id":\
                    "/subscriptions/x/resourceGroups/shop/providers/Microsoft.Compute/disks/web-%2$d-os"}}},"osProfile":\
                    {"computerName":"web-%2$d"},"networkProfile":{"networkInterfaces":[{"id":\
                    "/subscriptions/x/resourceGroups/shop/providers/Microsoft.Network/networkInterfaces/web-%2$d"}]},\
                    "provisioningState":"Succeeded"}}""".formatted(below, i);
        }

        private static String states(String below, int i) {
            return """
                    {"id":"%1$s/web-%2$d","name":"web-%2$d","location":"westeurope","properties":{"instanceView":{"statuses":[\
                    {"code":"ProvisioningState/succeeded","level":"Info","displayStatus":"Provisioning succeeded"},\
                    {"code":"PowerState/running","level":"Info","displayStatus":"VM running"}]}}}""".formatted(below, i);
        }

        @Override
        public String other(Request request) {
            if (request.path().equals("/msi/token")) {
                return "{\"access_token\":\"bench\",\"expires_on\":\"" + (System.currentTimeMillis() / 1000 + 86_400)
                        + "\",\"resource\":\"https://management.azure.com\",\"token_type\":\"Bearer\"}";
            }
            return request.path().equals("/subscriptions") ? "{\"value\":[]}" : "";
        }

        @Override
        public Throttling throttling() {
            return new Throttling(
                    429, "{\"error\":{\"code\":\"SubscriptionRequestsThrottled\",\"message\":\"too many\"}}");
        }
    }

    /** Instances of projects, all zones at once. */
    record Gcp() implements Vendor {
        @Override
        public String provider() {
            return "gcp";
        }

        @Override
        public String kind() {
            return "gce_instance";
        }

        @Override
        public int pageSize() {
            return 500;
        }

        @Override
        public String account(int chain) {
            return "bench-project-" + chain;
        }

        @Override
        public String region(int chain) {
            return "global";
        }

        @Override
        public Map<String, String> settings(String url, int chains) {
            return Map.of(
                    "GCP_ENDPOINT_URL",
                    url,
                    "ENDPOINT_ALLOWLIST",
                    "127.0.0.1",
                    "GCP_PROJECT_IDS",
                    IntStream.range(0, chains).mapToObj(this::account).collect(Collectors.joining(",")),
                    "GCP_CREDENTIALS_JSON",
                    """
                    {"type": "service_account", "project_id": "bench", "private_key_id": "0", "client_id": "0",\
                     "client_email": "bench@bench.iam.gserviceaccount.com", "token_uri": "%s/token",\
                     "private_key": "-----BEGIN PRIVATE KEY-----\\n%s\\n-----END PRIVATE KEY-----\\n"}""".formatted(url, key()));
        }

        /** Made for this run: it opens nothing. */
        private static String key() {
            try {
                KeyPairGenerator generator = KeyPairGenerator.getInstance("RSA");
                generator.initialize(2048);
                return Base64.getEncoder()
                        .encodeToString(generator.generateKeyPair().getPrivate().getEncoded());
            } catch (GeneralSecurityException e) {
                throw new IllegalStateException("every JVM has RSA", e);
            }
        }

        @Override
        public boolean isPage(Request request) {
            return request.path().endsWith("/aggregated/instances");
        }

        @Override
        public String cursor() {
            return "pageToken";
        }

        @Override
        public String page(Request request, int from, int to, int all) {
            String zone =
                    request.url() + "/compute/v1/projects/" + request.path().split("/")[4] + "/zones/us-central1-a";
            String next = to == all ? "" : ",\"nextPageToken\":\"" + to + "\"";
            return "{\"kind\":\"compute#instanceAggregatedList\",\"items\":{\"zones/us-central1-a\":{\"instances\":["
                    + items(from, to, i -> instance(zone, i)) + "]}}" + next + "}";
        }

        private static String instance(String zone, int i) {
            return """
                    {"kind":"compute#instance","id":"%2$d","creationTimestamp":"2026-01-01T00:00:00.000-08:00","name":"web-%2$d",\
                    "tags":{"items":["web"],"fingerprint":"x"},"machineType":"%1$s/machineTypes/e2-medium","status":"RUNNING",\
                    "zone":"%1$s","canIpForward":false,"networkInterfaces":[{"kind":"compute#networkInterface","network":\
                    "%1$s/global/networks/shop","subnetwork":"%1$s/regions/us-central1/subnetworks/shop","networkIP":"%3$s",\
                    "name":"nic0"}],"disks":[{"kind":"compute#attachedDisk","type":"PERSISTENT","mode":"READ_WRITE","source":\
                    "%1$s/disks/web-%2$d","deviceName":"web","index":0,"boot":true}],"selfLink":"%1$s/instances/web-%2$d",\
                    "labels":{"team":"shop"},"cpuPlatform":"Intel Broadwell","deletionProtection":false}""".formatted(zone, i, ip(i));
        }

        @Override
        public String other(Request request) {
            return request.path().equals("/token")
                    ? "{\"access_token\":\"bench\",\"expires_in\":3599,\"token_type\":\"Bearer\"}"
                    : "";
        }

        @Override
        public Throttling throttling() {
            return new Throttling(
                    403,
                    "{\"error\":{\"code\":403,\"message\":\"Rate Limit Exceeded\",\"errors\":[{\"domain\":\"usageLimits\","
                            + "\"reason\":\"rateLimitExceeded\",\"message\":\"Rate Limit Exceeded\"}]}}");
        }
    }

    /** Pods of clusters, in pages as Kubernetes' own clients ask for them. */
    record Kubernetes() implements Vendor {
        @Override
        public String provider() {
            return "kubernetes";
        }

        @Override
        public String kind() {
            return "k8s_pod";
        }

        @Override
        public int pageSize() {
            return 500;
        }

        @Override
        public String account(int chain) {
            return "bench-" + chain;
        }

        @Override
        public Map<String, String> settings(String url, int chains) {
            return Map.of(
                    "KUBERNETES_CLUSTERS", "[" + items(0, chains, chain -> """
                    {"name": "%1$s", "kubeconfig": {"apiVersion": "v1", "kind": "Config", "current-context": "bench",\
                     "clusters": [{"name": "bench", "cluster": {"server": "%2$s"}}],\
                     "users": [{"name": "bench", "user": {}}],\
                     "contexts": [{"name": "bench", "context": {"cluster": "bench", "user": "bench"}}]}}""".formatted(account(chain), url)) + "]");
        }

        @Override
        public boolean isPage(Request request) {
            return request.path().equals("/api/v1/pods");
        }

        @Override
        public String cursor() {
            return "continue";
        }

        @Override
        public String page(Request request, int from, int to, int all) {
            String next = to == all ? "" : ",\"continue\":\"" + to + "\"";
            return "{\"kind\":\"PodList\",\"apiVersion\":\"v1\",\"metadata\":{\"resourceVersion\":\"1\"" + next
                    + "},\"items\":[" + items(from, to, Kubernetes::pod) + "]}";
        }

        private static String pod(int i) {
            return """
                    {"metadata":{"name":"web-%1$d","namespace":"shop-%2$d","uid":"%1$032x","creationTimestamp":\
                    "2026-01-01T00:00:00Z","labels":{"app":"web","tier":"front"},"ownerReferences":[{"apiVersion":"apps/v1",\
                    "kind":"ReplicaSet","name":"web-5d8f","uid":"r%2$d","controller":true}]},"spec":{"nodeName":"node-%2$d",\
                    "serviceAccountName":"default","containers":[{"name":"web","image":"registry.example.com/shop/web:1.4.%2$d",\
                    "ports":[{"containerPort":8080,"protocol":"TCP"}],"resources":{"requests":{"cpu":"250m","memory":"256Mi"},\
                    "limits":{"memory":"512Mi"}}}]},"status":{"phase":"Running","podIP":"%3$s","startTime":\
                    "2026-01-01T00:00:05Z","conditions":[{"type":"Ready","status":"True"}]}}""".formatted(i, i % 50, ip(i));
        }

        @Override
        public String other(Request request) {
            return request.path().equals("/version") ? "{\"gitVersion\":\"v1.33.0\"}" : "";
        }

        @Override
        public Throttling throttling() {
            return new Throttling(429, "{\"kind\":\"Status\",\"code\":429,\"reason\":\"TooManyRequests\"}");
        }
    }
}
