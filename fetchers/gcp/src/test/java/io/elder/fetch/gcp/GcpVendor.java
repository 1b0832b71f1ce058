package io.elder.fetch.gcp;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.elder.fetch.testkit.Answer;
import io.elder.fetch.testkit.ScriptedServer;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.NoSuchAlgorithmException;
import java.util.Base64;
import java.util.Map;
import java.util.Set;

/** Google Cloud as the tests know it: projects, each with the same answers, and a key that was made for this run of the tests. */
public final class GcpVendor {
    public static final String PROJECT = "my-project-123";
    static final String EMAIL = "elder@my-project-123.iam.gserviceaccount.com";
    /** Resources of a project. */
    public static final Map<String, Integer> EXPECTED = Map.ofEntries(
            Map.entry("gcp_project", 1),
            Map.entry("gce_instance", 2),
            Map.entry("gce_disk", 2),
            Map.entry("gce_network", 4),
            Map.entry("gce_subnetwork", 82),
            Map.entry("gce_firewall", 5),
            Map.entry("gcs_bucket", 2),
            Map.entry("gke_cluster", 2),
            Map.entry("gke_node_pool", 2),
            Map.entry("cloud_run_service", 1),
            Map.entry("cloud_function", 1),
            Map.entry("cloud_sql_instance", 2),
            Map.entry("gcp_service_account", 3));

    private static final ObjectMapper JSON = new ObjectMapper();
    private static final KeyPair KEY = key();

    private final ScriptedServer server;
    private final String project;

    private GcpVendor(ScriptedServer server, String project) {
        this.server = server;
        this.project = project;
    }

    /** The settings of a job as the quickstart shows it, with the server in place of Google's hosts. */
    static Map<String, String> settings(String url) {
        return Map.of(
                "GCP_PROJECT_IDS",
                PROJECT,
                "GCP_CREDENTIALS_JSON",
                keyFile(url + "/token").toString(),
                "GCP_ENDPOINT_URL",
                url,
                "ENDPOINT_ALLOWLIST",
                "127.0.0.1");
    }

    public static ObjectNode keyFile(String tokenUri) {
        return JSON.createObjectNode()
                .put("type", "service_account")
                .put("project_id", PROJECT)
                .put("private_key_id", "0123456789abcdef")
                .put("private_key", "-----BEGIN PRIVATE KEY-----\n" + privateKey() + "\n-----END PRIVATE KEY-----\n")
                .put("client_email", EMAIL)
                .put("client_id", "100000000000000000009")
                .put("auth_uri", "https://accounts.google.com/o/oauth2/auth")
                .put("token_uri", tokenUri)
                .put("auth_provider_x509_cert_url", "https://www.googleapis.com/oauth2/v1/certs")
                .put("universe_domain", "googleapis.com");
    }

    public static Set<String> secrets() {
        return Set.of(
                privateKey(),
                "ya29.canary-token-4711",
                "canary-in-metadata-4711",
                "canary-in-env-4711",
                "canary-in-args-4711",
                "canary-in-header-4711",
                "canary-password-4711",
                "canary-client-key-4711");
    }

    static void script(ScriptedServer vendor) {
        vendor.login("POST /token", "vendor/token.json");
        script(vendor, PROJECT);
    }

    /** @param server whose fixtures are those beside this class */
    public static void script(ScriptedServer server, String project) {
        new GcpVendor(server, project).script();
    }

    private void script() {
        String compute = "GET /compute/v1/projects/" + project + "/";
        String of = "GET /v1/projects/" + project + "/";
        page("gcp_project", "GET /v3/projects/" + project, "project");
        page("gce_instance", compute + "aggregated/instances?pageToken", "instances-1");
        page("gce_instance", compute + "aggregated/instances?pageToken=CjT2=/+ page 2", "instances-2");
        page("gce_disk", compute + "aggregated/disks", "disks");
        page("gce_network", compute + "global/networks", "networks");
        page("gce_subnetwork", compute + "aggregated/subnetworks", "subnetworks");
        page("gce_firewall", compute + "global/firewalls", "firewalls");
        page("gcs_bucket", "GET /storage/v1/b?project=" + project + "&pageToken", "buckets-1");
        page("gcs_bucket", "GET /storage/v1/b?project=" + project + "&pageToken=bucket_b", "buckets-2");
        page("gke_cluster", of + "locations/-/clusters", "clusters");
        // Node pools come with their clusters: nobody asks for them.
        page("gke_node_pool", "GET /v1/never", "clusters");
        server.on(of + "locations", answer("run-locations"));
        String run = "GET /v2/projects/" + project + "/locations/";
        page("cloud_run_service", run + "europe-west2/services", "run-europe-west2");
        server.on(run + "us-central1/services", answer("run-us-central1"));
        page("cloud_function", run + "-/functions", "functions");
        page("cloud_sql_instance", of + "instances", "sql");
        page("gcp_service_account", of + "serviceAccounts?pageToken", "accounts-1");
        page("gcp_service_account", of + "serviceAccounts?pageToken=Q2hR=", "accounts-2");
    }

    private void page(String kind, String request, String fixture) {
        server.page(kind, request, answer(fixture));
    }

    private Answer answer(String fixture) {
        return Answer.of(200, server.text("vendor/" + fixture + ".json").replace(PROJECT, project))
                .header("Content-Type", "application/json; charset=UTF-8");
    }

    private static String privateKey() {
        return Base64.getEncoder().encodeToString(KEY.getPrivate().getEncoded());
    }

    private static KeyPair key() {
        try {
            KeyPairGenerator generator = KeyPairGenerator.getInstance("RSA");
            generator.initialize(2048);
            return generator.generateKeyPair();
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every JVM has RSA", e);
        }
    }
}
