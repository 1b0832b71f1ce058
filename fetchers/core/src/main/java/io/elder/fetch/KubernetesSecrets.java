package io.elder.fetch;

import com.fasterxml.jackson.databind.JsonNode;
import io.elder.fetch.http.HttpFailure;
import io.elder.fetch.http.JsonApi;
import io.elder.runtime.Settings;
import java.io.IOException;
import java.io.InputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;
import java.time.Duration;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;

/**
 * Secrets of the namespace that this process runs in, asked of the cluster with the pod's own service account, which needs
 * the right to {@code get} those that jobs name.
 */
final class KubernetesSecrets {
    private static final Duration TIMEOUT = Duration.ofSeconds(10);

    private final URI server;
    private final Path account;

    /**
     * @param server the cluster's API server
     * @param account a directory with {@code token}, {@code namespace} and {@code ca.crt}, the authority to trust
     */
    KubernetesSecrets(URI server, Path account) {
        this.server = server;
        this.account = account;
    }

    /** @param environment where Kubernetes says where its API server is; no job can change it */
    static Optional<KubernetesSecrets> ofThisPod(Settings environment) {
        return Files.isReadable(ThisPod.SERVICE_ACCOUNT.resolve("token"))
                ? Optional.of(new KubernetesSecrets(ThisPod.apiServer(environment), ThisPod.SERVICE_ACCOUNT))
                : Optional.empty();
    }

    /** The fields of a secret; empty if there is none of that name. */
    Optional<Map<String, String>> find(String name) {
        String namespace = read("namespace");
        String path = "/api/v1/namespaces/" + namespace + "/secrets/" + name;
        // Read for every use: the kubelet replaces the token before it expires.
        try (JsonApi api =
                new JsonApi(server, client(), () -> Map.of("Authorization", "Bearer " + read("token")), TIMEOUT)) {
            Map<String, String> fields = new LinkedHashMap<>();
            for (Map.Entry<String, JsonNode> field : api.get(path).path("data").properties()) {
                byte[] value = Base64.getDecoder().decode(field.getValue().asText());
                fields.put(field.getKey(), new String(value, StandardCharsets.UTF_8).replaceFirst("\\R$", ""));
            }
            return Optional.of(fields);
        } catch (HttpFailure e) {
            if (e.status() == 404) {
                return Optional.empty();
            }
            throw new BadConfigurationException(
                    "secret://" + name + ": " + e.getMessage() + " (expected: the right to get secret " + name
                            + " in namespace " + namespace + ", or the secret mounted)",
                    e);
        } catch (IOException | GeneralSecurityException e) {
            throw new BadConfigurationException(
                    "secret://" + name + ": " + server + " can't be asked: " + e.getMessage(), e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new BadConfigurationException("secret://" + name + ": interrupted", e);
        }
    }

    private HttpClient client() throws IOException, GeneralSecurityException {
        HttpClient.Builder client = JsonApi.client(server);
        Path authority = account.resolve("ca.crt");
        if (Files.isReadable(authority)) {
            client.sslContext(trusting(authority));
        }
        return client.build();
    }

    private static SSLContext trusting(Path authority) throws IOException, GeneralSecurityException {
        KeyStore trusted = KeyStore.getInstance(KeyStore.getDefaultType());
        trusted.load(null, null);
        try (InputStream file = Files.newInputStream(authority)) {
            int count = 0;
            for (Certificate each : CertificateFactory.getInstance("X.509").generateCertificates(file)) {
                trusted.setCertificateEntry("authority-" + count++, each);
            }
        }
        TrustManagerFactory managers = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        managers.init(trusted);
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(null, managers.getTrustManagers(), null);
        return context;
    }

    private String read(String file) {
        try {
            return Files.readString(account.resolve(file)).strip();
        } catch (IOException e) {
            throw new BadConfigurationException("service account: " + account.resolve(file) + " can't be read", e);
        }
    }
}
