package io.elder.fetch.kubernetes;

import io.elder.fetch.BadConfigurationException;
import io.fabric8.kubernetes.api.model.AuthInfo;
import io.fabric8.kubernetes.api.model.Cluster;
import io.fabric8.kubernetes.api.model.Context;
import io.fabric8.kubernetes.client.Config;
import io.fabric8.kubernetes.client.ConfigBuilder;
import io.fabric8.kubernetes.client.utils.Serialization;
import java.io.IOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Base64;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.function.Function;

/**
 * Credentials of a cluster, from a kubeconfig or a pod's service account.
 *
 * <p>A kubeconfig can name files to read and programs to run. One that stands in a job's configuration must do neither:
 * whoever may create jobs could read this machine's files by it, or run programs here. One in a file may name other files,
 * and may run programs where the site allows it.
 */
final class Kubeconfig {
    private Kubeconfig() {}

    /** Where the credentials are. */
    sealed interface Source {}

    /** The text of a kubeconfig, as YAML or JSON. */
    record Inline(String text) implements Source {
        @Override
        public String toString() {
            return "kubeconfig";
        }
    }

    /** @param mayRun whether the kubeconfig may name a program that gives the credentials */
    record Mounted(Path path, boolean mayRun) implements Source {
        @Override
        public String toString() {
            return path.toString();
        }
    }

    /** @param directory with {@code token}, {@code ca.crt} and {@code namespace} */
    record ServiceAccount(Path directory) implements Source {
        @Override
        public String toString() {
            return directory.toString();
        }
    }

    /** What a client needs, and what the cluster is called there. */
    record Login(String clusterName, Config config) {}

    /**
     * @param server of the cluster that this process is in, as Kubernetes tells its pods
     * @throws BadConfigurationException if that is no way into a cluster
     */
    static Login read(KubernetesSettings.Access access, Duration timeout, String server) {
        Login login =
                switch (access.source()) {
                    case ServiceAccount account -> serviceAccount(account.directory(), server);
                    case Inline inline -> kubeconfig(inline.text(), inline, access.context(), Optional.empty());
                    case Mounted mounted ->
                        kubeconfig(
                                text(mounted.path(), "kubeconfig"),
                                mounted,
                                access.context(),
                                Optional.of(mounted.path()));
                };
        Config config = new ConfigBuilder(login.config())
                // Retries are the runtime's.
                .withRequestRetryBackoffLimit(0)
                // Without TLS the upgrade to HTTP/2 only confuses servers.
                .withHttp2Disable(login.config().getMasterUrl().startsWith("http:"))
                .withRequestTimeout(Math.toIntExact(timeout.toMillis()))
                .withConnectionTimeout(Math.toIntExact(Math.min(timeout.toMillis(), 10_000)))
                .build();
        return new Login(access.name().orElse(login.clusterName()), config);
    }

    private static Login serviceAccount(Path directory, String server) {
        Path token = directory.resolve("token");
        text(token, "service account");
        Path authority = directory.resolve("ca.crt");
        Config config = empty().withMasterUrl(server)
                .withCaCertFile(Files.isReadable(authority) ? authority.toString() : null)
                // Read anew for every request: the kubelet replaces it before it expires.
                .withOauthTokenProvider(() -> text(token, "service account"))
                .build();
        return new Login("in-cluster", config);
    }

    private static Login kubeconfig(String text, Source source, Optional<String> wanted, Optional<Path> file) {
        io.fabric8.kubernetes.api.model.Config kubeconfig = parse(text, source);
        String contextName = wanted.or(() ->
                        Optional.ofNullable(kubeconfig.getCurrentContext()).filter(name -> !name.isBlank()))
                .orElseThrow(() -> bad(
                        source,
                        "no current-context",
                        "KUBERNETES_CONTEXT to name one of "
                                + names(kubeconfig.getContexts(), each -> each.getName())));
        Context context = named(
                source,
                "context",
                contextName,
                kubeconfig.getContexts(),
                each -> each.getName(),
                each -> each.getContext());
        Cluster cluster = named(
                source,
                "cluster",
                context.getCluster(),
                kubeconfig.getClusters(),
                each -> each.getName(),
                each -> each.getCluster());
        AuthInfo user = context.getUser() == null || context.getUser().isBlank()
                ? new AuthInfo()
                : named(
                        source,
                        "user",
                        context.getUser(),
                        kubeconfig.getUsers(),
                        each -> each.getName(),
                        each -> each.getUser());
        check(source, context.getUser(), cluster, user);
        if (user.getExec() != null) {
            Config config =
                    Config.fromKubeconfig(contextName, file.orElseThrow().toFile());
            return new Login(context.getCluster(), config);
        }
        return new Login(context.getCluster(), config(source, cluster, user, file));
    }

    private static Config config(Source source, Cluster cluster, AuthInfo user, Optional<Path> file) {
        String key = data(user.getClientKeyData(), user.getClientKey(), file);
        ConfigBuilder config = empty().withMasterUrl(cluster.getServer())
                .withTrustCerts(Boolean.TRUE.equals(cluster.getInsecureSkipTlsVerify()))
                .withDisableHostnameVerification(Boolean.TRUE.equals(cluster.getInsecureSkipTlsVerify()))
                .withCaCertData(data(cluster.getCertificateAuthorityData(), cluster.getCertificateAuthority(), file))
                .withClientCertData(data(user.getClientCertificateData(), user.getClientCertificate(), file))
                .withClientKeyData(key)
                .withUsername(user.getUsername())
                .withPassword(user.getPassword())
                .withImpersonateUsername(user.getAs())
                .withHttpsProxy(cluster.getProxyUrl())
                .withHttpProxy(cluster.getProxyUrl());
        if (user.getAsGroups() != null) {
            config.withImpersonateGroups(user.getAsGroups().toArray(String[]::new));
        }
        if (key != null) {
            config.withClientKeyAlgo(algorithm(source, key));
        }
        if (user.getToken() != null && !user.getToken().isBlank()) {
            config.withOauthToken(user.getToken());
        } else if (user.getTokenFile() != null) {
            Path token = beside(user.getTokenFile(), file);
            config.withOauthTokenProvider(() -> text(token, "token"));
        }
        return config.build();
    }

    private static void check(Source source, String userName, Cluster cluster, AuthInfo user) {
        String server = cluster.getServer();
        if (!isUrl(server)) {
            throw bad(source, "server " + server, "an http or https URL with a host");
        }
        if (user.getAuthProvider() != null) {
            throw bad(
                    source,
                    "user " + userName + " has an auth-provider",
                    "exec, which replaced it, or a token or a certificate");
        }
        if (source instanceof Inline) {
            if (user.getExec() != null) {
                throw bad(
                        source,
                        "user " + userName + " runs a program (exec)",
                        "a token or a certificate, because it stands in the configuration itself");
            }
            List<String> files = java.util.stream.Stream.of(
                            cluster.getCertificateAuthority(),
                            user.getClientCertificate(),
                            user.getClientKey(),
                            user.getTokenFile())
                    .filter(Objects::nonNull)
                    .filter(name -> !name.isBlank())
                    .toList();
            if (!files.isEmpty()) {
                throw bad(
                        source,
                        "refers to files of this machine",
                        "their contents, in certificate-authority-data, client-certificate-data, client-key-data or token");
            }
        }
        if (user.getExec() != null && source instanceof Mounted mounted && !mounted.mayRun()) {
            throw bad(
                    source,
                    "user " + userName + " runs a program (exec)",
                    "a token or a certificate, or KUBECONFIG_ALLOW_EXEC=true");
        }
    }

    private static boolean isUrl(String server) {
        try {
            URI uri = URI.create(server == null ? "" : server);
            return uri.getHost() != null && List.of("http", "https").contains(uri.getScheme());
        } catch (IllegalArgumentException e) {
            return false;
        }
    }

    private static io.fabric8.kubernetes.api.model.Config parse(String text, Source source) {
        try {
            io.fabric8.kubernetes.api.model.Config kubeconfig =
                    Serialization.unmarshal(text, io.fabric8.kubernetes.api.model.Config.class);
            if (kubeconfig != null && kubeconfig.getContexts() != null && kubeconfig.getClusters() != null) {
                return kubeconfig;
            }
        } catch (RuntimeException e) {
            // Without the cause: its message quotes the text.
        }
        throw bad(
                source,
                text.length() + " characters that are no kubeconfig",
                "YAML or JSON with clusters, contexts and users");
    }

    private static <T, R> R named(
            Source source, String what, String name, List<T> all, Function<T, String> nameOf, Function<T, R> valueOf) {
        List<T> those = all == null ? List.of() : all;
        return those.stream()
                .filter(each -> Objects.equals(nameOf.apply(each), name))
                .map(valueOf)
                .filter(Objects::nonNull)
                .findFirst()
                .orElseThrow(() -> bad(source, what + " " + name + " is not in it", "one of " + names(those, nameOf)));
    }

    private static <T> List<String> names(List<T> all, Function<T, String> nameOf) {
        return all.stream().map(nameOf).toList();
    }

    /** @return base64, as in the fields whose names end in {@code -data} */
    private static String data(String data, String path, Optional<Path> kubeconfig) {
        if (data != null && !data.isBlank()) {
            return data;
        }
        if (path == null || path.isBlank()) {
            return null;
        }
        Path file = beside(path, kubeconfig);
        try {
            return Base64.getEncoder().encodeToString(Files.readAllBytes(file));
        } catch (IOException e) {
            throw new BadConfigurationException("kubeconfig: " + file + " can't be read (expected: a PEM file)", e);
        }
    }

    private static Path beside(String path, Optional<Path> kubeconfig) {
        return kubeconfig.orElseThrow().toAbsolutePath().resolveSibling(path);
    }

    private static String algorithm(Source source, String key) {
        try {
            return Config.getKeyAlgorithm(null, key);
        } catch (RuntimeException e) {
            // Without the cause: it may quote the key.
            throw bad(source, "a client key that can't be read", "a PEM file with an RSA or EC key");
        }
    }

    private static ConfigBuilder empty() {
        // Nothing of the environment, of system properties or of ~/.kube.
        return new ConfigBuilder(Config.empty()).withAutoConfigure(false);
    }

    private static String text(Path file, String what) {
        try {
            return Files.readString(file).strip();
        } catch (IOException e) {
            throw new BadConfigurationException(what + ": " + file + " can't be read", e);
        }
    }

    private static BadConfigurationException bad(Source source, String found, String expected) {
        return new BadConfigurationException(source + ": " + found + " (expected: " + expected + ")");
    }
}
