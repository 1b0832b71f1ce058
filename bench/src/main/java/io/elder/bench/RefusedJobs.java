package io.elder.bench;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Executors;
import java.util.stream.Collectors;

/**
 * Jobs of many providers whose credentials are refused, by a server that says again whatever it was told; and a person's row
 * with what nobody but Elder may know. They are there for their secrets.
 */
final class RefusedJobs implements AutoCloseable {
    /** The process that reads for them: what happens to it happens to no other. */
    static final String FETCHER = "fetcher-of-refused";

    private static final ObjectMapper JSON = new ObjectMapper();

    private final HttpServer vendor;
    private final Map<String, Map<String, Object>> configurations = new LinkedHashMap<>();
    private final Canaries canaries;

    RefusedJobs(Canaries canaries) throws IOException {
        this.canaries = canaries;
        vendor = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        vendor.setExecutor(Executors.newVirtualThreadPerTaskExecutor());
        vendor.createContext("/", RefusedJobs::refuse);
        vendor.start();
        String url = "http://127.0.0.1:" + vendor.getAddress().getPort();
        configurations.put(
                "aws",
                Map.of(
                        "access_key_id", "AKIAIOSFODNN7EXAMPLE",
                        "secret_access_key", canaries.secret("AWS secret access key"),
                        "session_token", canaries.secret("AWS session token"),
                        "regions", List.of("eu-west-1"),
                        "endpoint_url", url));
        configurations.put(
                "azure",
                Map.of(
                        "tenant_id",
                        "11111111-2222-3333-4444-555555555555",
                        "client_id",
                        "66666666-7777-8888-9999-000000000000",
                        "client_secret",
                        canaries.secret("Azure client secret"),
                        "authority_host",
                        url,
                        "endpoint_url",
                        url));
        configurations.put(
                "kubernetes",
                Map.of(
                        "cluster_name",
                        "refusing",
                        "kubeconfig",
                        kubeconfig(url, canaries.secret("Kubernetes bearer token"))));
        configurations.put("authentik", Map.of("domain", url, "api_token", canaries.secret("Authentik API token")));
        configurations.put("fleetdm", Map.of("url", url, "api_token", canaries.secret("Fleet API token")));
        configurations.put(
                "iboss",
                Map.of(
                        "auth",
                        "gateway",
                        "username",
                        "elder",
                        "password",
                        canaries.secret("iboss password"),
                        "accounts_url",
                        url,
                        "cloud_url",
                        url));
        canaries.form(
                "iboss password as it is sent", RegistryServer.basic("elder:" + canaries.secret("iboss password")));
        configurations.put(
                "vcenter",
                Map.of(
                        "host",
                        "127.0.0.1",
                        "username",
                        "elder@vsphere.local",
                        "password",
                        canaries.secret("vCenter password"),
                        "endpoint_url",
                        url));
    }

    /** What the roles are told. */
    Map<String, String> environment() {
        return Map.of("ENDPOINT_ALLOWLIST", "127.0.0.1");
    }

    /** @param environment of a fetcher */
    void startFetcher(RoleProcesses roles, Map<String, String> environment) throws IOException {
        String modules = configurations.keySet().stream()
                .map(provider -> "fetchers/" + provider)
                .collect(Collectors.joining(","));
        Map<String, String> all = new LinkedHashMap<>(environment);
        all.put("LOG_FORMAT", "text");
        roles.start(FETCHER, RoleProcesses.fetcher(modules), all);
    }

    /** How many. */
    int create(Connection connection) throws SQLException {
        for (Map.Entry<String, Map<String, Object>> job : configurations.entrySet()) {
            try (PreparedStatement insert = connection.prepareStatement(
                    "insert into discovery_jobs (name, provider, config_json, schedule_interval, enabled)"
                            + " values ('refused', ?, ?::json, 0, true)")) {
                insert.setString(1, job.getKey());
                insert.setString(2, json(job.getValue()));
                insert.executeUpdate();
            }
        }
        try (PreparedStatement insert = connection.prepareStatement("insert into identities (tenant_id, identity_type,"
                + " username, auth_provider, is_active, is_superuser, mfa_enabled, must_change_password, portal_role,"
                + " password_hash, mfa_secret) select min(id), 'EMPLOYEE', '" + FaultOracle.PERSON
                + "', 'LOCAL', true, false, true, false, 'observer', ?, ? from tenants")) {
            insert.setString(1, canaries.secret("password hash of a person"));
            insert.setString(2, canaries.secret("second factor of a person"));
            insert.executeUpdate();
        }
        return configurations.size();
    }

    /** Runs them once more, and changes the person. */
    int again(Connection connection) throws SQLException {
        try (Statement statement = connection.createStatement()) {
            statement.execute(
                    "update identities set full_name = 'at ' || now() where username = '" + FaultOracle.PERSON + "'");
            return statement.executeUpdate("update discovery_jobs set next_run_at = now() where name = 'refused'");
        }
    }

    /** Those that did not fail as they must. */
    List<String> differences(Connection connection) throws SQLException {
        List<String> differences = new ArrayList<>();
        try (Statement statement = connection.createStatement();
                ResultSet row = statement.executeQuery("select provider, status, coalesce(last_error, 'no error'),"
                        + " (select count(*) from discovery_history h where h.job_id = j.id and h.status = 'failed')"
                        + " from discovery_jobs j where name = 'refused' order by provider")) {
            int jobs = 0;
            while (row.next()) {
                jobs++;
                if (!"failed".equals(row.getString(2)) || row.getInt(4) == 0) {
                    differences.add("refused job of " + row.getString(1) + ": " + row.getString(2) + ", "
                            + row.getString(3) + ", failed " + row.getInt(4) + " times (expected: failed)");
                }
            }
            if (jobs != configurations.size()) {
                differences.add(jobs + " refused jobs (expected: " + configurations.size() + ")");
            }
        }
        return differences;
    }

    @Override
    public void close() {
        vendor.stop(0);
    }

    private static Map<String, Object> kubeconfig(String url, String token) {
        return Map.of(
                "apiVersion",
                "v1",
                "kind",
                "Config",
                "current-context",
                "here",
                "clusters",
                List.of(Map.of("name", "here", "cluster", Map.of("server", url))),
                "users",
                List.of(Map.of("name", "reader", "user", Map.of("token", token))),
                "contexts",
                List.of(Map.of("name", "here", "context", Map.of("cluster", "here", "user", "reader"))));
    }

    private static void refuse(HttpExchange exchange) throws IOException {
        try (exchange) {
            Map<String, Object> told = new LinkedHashMap<>();
            told.put("error", "invalid credentials");
            told.put("path", exchange.getRequestURI().toString());
            told.put("headers", exchange.getRequestHeaders());
            told.put("body", new String(exchange.getRequestBody().readAllBytes(), StandardCharsets.UTF_8));
            byte[] answer = json(told).getBytes(StandardCharsets.UTF_8);
            exchange.getResponseHeaders().set("Content-Type", "application/json");
            exchange.sendResponseHeaders(401, answer.length);
            exchange.getResponseBody().write(answer);
        }
    }

    private static String json(Object value) {
        try {
            return JSON.writeValueAsString(value);
        } catch (JsonProcessingException e) {
            throw new IllegalStateException(e);
        }
    }
}
