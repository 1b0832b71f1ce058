package io.elder.fetch.gcp;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.elder.fetch.testkit.ScriptedServer;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.NoSuchAlgorithmException;
import java.util.Base64;
import java.util.Map;
import java.util.Set;

/** Google Cloud as the tests know it: one project, its answers, and a key that was made for this run of the tests. */
final class GcpVendor {
    static final String PROJECT = "my-project-123";
    static final String EMAIL = "elder@my-project-123.iam.gserviceaccount.com";
    static final Map<String, Integer> EXPECTED = Map.ofEntries(
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
    private static final String COMPUTE = "GET /compute/v1/projects/my-project-123/";

    private GcpVendor() {}

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

    static ObjectNode keyFile(String tokenUri) {
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

    static Set<String> secrets() {
        return Set.of(
                privateKey(),
                "ya29.canary-token-4711",
                "canary-in-metadata-4711",
                "canary-in-env-4711",
                "canary-password-4711",
                "canary-client-key-4711");
    }

    static void script(ScriptedServer vendor) {
        vendor.on("POST /token", "vendor/token.json");
        vendor.page("gcp_project", "GET /v3/projects/my-project-123", "vendor/project.json");
        vendor.page("gce_instance", COMPUTE + "aggregated/instances?pageToken", "vendor/instances-1.json");
        vendor.page(
                "gce_instance", COMPUTE + "aggregated/instances?pageToken=CjT2=/+ page 2", "vendor/instances-2.json");
        vendor.page("gce_disk", COMPUTE + "aggregated/disks", "vendor/disks.json");
        vendor.page("gce_network", COMPUTE + "global/networks", "vendor/networks.json");
        vendor.page("gce_subnetwork", COMPUTE + "aggregated/subnetworks", "vendor/subnetworks.json");
        vendor.page("gce_firewall", COMPUTE + "global/firewalls", "vendor/firewalls.json");
        vendor.page("gcs_bucket", "GET /storage/v1/b?project=my-project-123&pageToken", "vendor/buckets-1.json");
        vendor.page(
                "gcs_bucket", "GET /storage/v1/b?project=my-project-123&pageToken=bucket_b", "vendor/buckets-2.json");
        vendor.page("gke_cluster", "GET /v1/projects/my-project-123/locations/-/clusters", "vendor/clusters.json");
        // Node pools come with their clusters: nobody asks for them.
        vendor.page("gke_node_pool", "GET /v1/never", "vendor/clusters.json");
        vendor.on("GET /v1/projects/my-project-123/locations", "vendor/run-locations.json");
        vendor.page(
                "cloud_run_service",
                "GET /v2/projects/my-project-123/locations/europe-west2/services",
                "vendor/run-europe-west2.json");
        vendor.on("GET /v2/projects/my-project-123/locations/us-central1/services", "vendor/run-us-central1.json");
        vendor.page("cloud_function", "GET /v2/projects/my-project-123/locations/-/functions", "vendor/functions.json");
        vendor.page("cloud_sql_instance", "GET /v1/projects/my-project-123/instances", "vendor/sql.json");
        vendor.page(
                "gcp_service_account",
                "GET /v1/projects/my-project-123/serviceAccounts?pageToken",
                "vendor/accounts-1.json");
        vendor.page(
                "gcp_service_account",
                "GET /v1/projects/my-project-123/serviceAccounts?pageToken=Q2hR=",
                "vendor/accounts-2.json");
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
