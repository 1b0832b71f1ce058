package io.elder.fetch.googleworkspace;

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

/** Google Workspace as the tests know it: one customer, its answers, and a key that was made for this run of the tests. */
final class GoogleWorkspaceVendor {
    static final String ADMIN = "admin@example.com";
    static final String EMAIL = "elder@my-project-123.iam.gserviceaccount.com";
    static final Map<String, Integer> EXPECTED = Map.of(
            "google_workspace_customer", 1,
            "google_workspace_org_unit", 2,
            "google_workspace_user", 4,
            "google_workspace_group", 3,
            "google_workspace_group_member", 8);

    private static final ObjectMapper JSON = new ObjectMapper();
    private static final KeyPair KEY = key();
    private static final String DIRECTORY = "GET /admin/directory/v1/";

    private GoogleWorkspaceVendor() {}

    static Map<String, String> settings(String url) {
        return Map.of(
                "GOOGLE_WORKSPACE_CREDENTIALS_JSON",
                keyFile(url + "/token").toString(),
                "GOOGLE_WORKSPACE_ADMIN_EMAIL",
                ADMIN,
                "GOOGLE_WORKSPACE_ENDPOINT_URL",
                url,
                "ENDPOINT_ALLOWLIST",
                "127.0.0.1");
    }

    static ObjectNode keyFile(String tokenUri) {
        return JSON.createObjectNode()
                .put("type", "service_account")
                .put("project_id", "my-project-123")
                .put("private_key_id", "0123456789abcdef")
                .put("private_key", "-----BEGIN PRIVATE KEY-----\n" + privateKey() + "\n-----END PRIVATE KEY-----\n")
                .put("client_email", EMAIL)
                .put("client_id", "100000000000000000009")
                .put("token_uri", tokenUri)
                .put("universe_domain", "googleapis.com");
    }

    static Set<String> secrets() {
        return Set.of(
                privateKey(),
                "ya29.canary-token-4711",
                "canary-password-4711",
                "canary-hash-4711",
                "canary-recovery-4711",
                "+15550104711");
    }

    static void script(ScriptedServer vendor) {
        vendor.login("POST /token", "vendor/token.json");
        vendor.page("google_workspace_customer", DIRECTORY + "users/admin@example.com", "vendor/admin.json");
        vendor.page(
                "google_workspace_org_unit",
                DIRECTORY + "customer/my_customer/orgunits?type=all",
                "vendor/org-units.json");
        vendor.page(
                "google_workspace_user",
                DIRECTORY + "users?customer=my_customer&projection=basic&pageToken",
                "vendor/users-1.json");
        vendor.page(
                "google_workspace_user",
                DIRECTORY + "users?customer=my_customer&projection=basic&pageToken=~!!~AI9FV7T=/+ 2",
                "vendor/users-2.json");
        vendor.on(
                DIRECTORY + "users?customer=my_customer&fields=kind,nextPageToken,users/id&pageToken&projection",
                "vendor/user-ids.json");
        vendor.on(DIRECTORY + "users?customer=my_customer&maxResults=1&pageToken&projection", "vendor/one-user.json");
        vendor.page(
                "google_workspace_group",
                DIRECTORY + "groups?customer=my_customer&fields&pageToken",
                "vendor/groups-1.json");
        vendor.page(
                "google_workspace_group",
                DIRECTORY + "groups?customer=my_customer&fields&pageToken=CmAiXhJc=",
                "vendor/groups-2.json");
        vendor.on(
                DIRECTORY + "groups?customer=my_customer&fields=kind,nextPageToken,groups/id&pageToken",
                "vendor/group-ids.json");
        vendor.page(
                "google_workspace_group_member",
                DIRECTORY + "groups/02grqrue1engine/members?pageToken",
                "vendor/members-engineering-1.json");
        vendor.page(
                "google_workspace_group_member",
                DIRECTORY + "groups/02grqrue1engine/members?pageToken=EVSSlCJAqA==",
                "vendor/members-engineering-2.json");
        vendor.page(
                "google_workspace_group_member",
                DIRECTORY + "groups/02grqrue2operat/members",
                "vendor/members-operations.json");
        vendor.page(
                "google_workspace_group_member",
                DIRECTORY + "groups/02grqrue3everyb/members",
                "vendor/members-everybody.json");
    }

    /** As Google's older APIs refuse. */
    static Answer error(int status, String reason, String message) {
        return json(
                status,
                "{'error': {'errors': [{'domain': 'global', 'reason': '" + reason + "', 'message': '" + message
                        + "'}], 'code': " + status + ", 'message': '" + message + "'}}");
    }

    static Answer json(int status, String body) {
        return Answer.of(status, body.replace('\'', '"')).header("Content-Type", "application/json");
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
