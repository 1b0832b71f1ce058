package io.elder.fetch.kubernetes;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.elder.fetch.BadConfigurationException;
import io.elder.runtime.Settings;
import io.elder.runtime.SettingsException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class KubeconfigTest {
    private static final String SERVER = "https://cluster.example:6443";

    @TempDir
    Path directory;

    @Test
    void theChosenContextsClusterGivesServerNameAndToken() {
        String text = """
                apiVersion: v1
                kind: Config
                current-context: a
                contexts:
                - {name: a, context: {cluster: east, user: one}}
                - {name: b, context: {cluster: west, user: two}}
                clusters:
                - {name: east, cluster: {server: "https://east.example"}}
                - {name: west, cluster: {server: "https://west.example"}}
                users:
                - {name: one, user: {token: first}}
                - {name: two, user: {token: second}}
                """;
        Kubeconfig.Login east = read(new Kubeconfig.Inline(text), Optional.empty());
        assertThat(east.clusterName()).isEqualTo("east");
        assertThat(east.config().getMasterUrl()).startsWith("https://east.example");
        assertThat(east.config().getOauthToken()).isEqualTo("first");
        Kubeconfig.Login west = read(new Kubeconfig.Inline(text), Optional.of("b"));
        assertThat(west.clusterName()).isEqualTo("west");
        assertThat(west.config().getOauthToken()).isEqualTo("second");
        assertThat(west.config().isTrustCerts()).isFalse();
        assertThatThrownBy(() -> read(new Kubeconfig.Inline(text), Optional.of("c")))
                .hasMessage("kubeconfig: context c is not in it (expected: one of [a, b])");
    }

    /** Else whoever may create jobs could run programs on this machine, or read its files. */
    @ParameterizedTest
    @ValueSource(
            strings = {
                "{exec: {apiVersion: client.authentication.k8s.io/v1, command: touch, args: [\"@\"]}}",
                "{tokenFile: /etc/passwd}",
                "{client-certificate: /etc/passwd, client-key: /etc/passwd}",
                "{auth-provider: {name: gcp, config: {cmd-path: touch, cmd-args: \"@\"}}}"
            })
    void aKubeconfigInAJobNeitherRunsNorReadsAnythingHere(String user) {
        Path touched = directory.resolve("touched");
        String text = kubeconfig("server: \"" + SERVER + "\"", user.replace("@", touched.toString()));
        assertThatThrownBy(() -> read(new Kubeconfig.Inline(text), Optional.empty()))
                .isInstanceOf(BadConfigurationException.class)
                .hasMessageStartingWith("kubeconfig: ")
                .hasMessageContaining("(expected: ");
        assertThat(touched).doesNotExist();
    }

    @Test
    void aCertificateAuthorityInAFileIsForKubeconfigsInFiles() {
        String text = kubeconfig("server: \"" + SERVER + "\", certificate-authority: /etc/ssl/ca.pem", "{token: x}");
        assertThatThrownBy(() -> read(new Kubeconfig.Inline(text), Optional.empty()))
                .hasMessageContaining("certificate-authority-data");
    }

    @Test
    void aKubeconfigInAFileMayReferToFilesBesideIt() throws IOException {
        Files.writeString(directory.resolve("token"), "from-the-file\n");
        Path file = Files.writeString(
                directory.resolve("config"), kubeconfig("server: \"" + SERVER + "\"", "{tokenFile: token}"));
        Kubeconfig.Login login = read(new Kubeconfig.Mounted(file, false), Optional.empty());
        assertThat(login.config().getOauthTokenProvider().getToken()).isEqualTo("from-the-file");
        Files.writeString(directory.resolve("token"), "rotated");
        assertThat(login.config().getOauthTokenProvider().getToken()).isEqualTo("rotated");
    }

    @Test
    void aProgramIsRunOnlyWhereTheSiteAllowsIt() throws IOException {
        Path program = directory.resolve("login.sh");
        Files.writeString(program, """
                #!/bin/sh
                echo '{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"from-the-program"}}'
                """);
        assertThat(program.toFile().setExecutable(true)).isTrue();
        Path file = Files.writeString(
                directory.resolve("config"),
                kubeconfig(
                        "server: \"" + SERVER + "\"",
                        "{exec: {apiVersion: client.authentication.k8s.io/v1, interactiveMode: Never, command: \""
                                + program + "\"}}"));
        assertThatThrownBy(() -> read(new Kubeconfig.Mounted(file, false), Optional.empty()))
                .hasMessageContaining("KUBECONFIG_ALLOW_EXEC=true");
        Kubeconfig.Login login = read(new Kubeconfig.Mounted(file, true), Optional.empty());
        assertThat(login.clusterName()).isEqualTo("prod");
        assertThat(login.config().getMasterUrl()).startsWith(SERVER);
        assertThat(login.config().getAutoOAuthToken()).isEqualTo("from-the-program");
    }

    @Test
    void aServiceAccountIsADirectoryWithATokenThatIsReadAnew() throws IOException {
        Files.writeString(directory.resolve("token"), "one");
        Kubeconfig.Login login = read(new Kubeconfig.ServiceAccount(directory), Optional.empty());
        assertThat(login.config().getMasterUrl()).startsWith("https://10.96.0.1:443");
        assertThat(login.config().getOauthTokenProvider().getToken()).isEqualTo("one");
        Files.writeString(directory.resolve("token"), "two");
        assertThat(login.config().getOauthTokenProvider().getToken()).isEqualTo("two");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {"", "s3cret: [", "just text s3cret", "{\"a\": \"s3cret\"}", "apiVersion: v1\nkind: Config\n"})
    void whatIsNoKubeconfigIsSaidSoWithoutQuotingIt(String text) {
        assertThatThrownBy(() -> read(new Kubeconfig.Inline(text), Optional.empty()))
                .isInstanceOf(BadConfigurationException.class)
                .hasMessageContaining("expected: ")
                .hasMessageNotContaining("s3cret");
    }

    @Test
    void aServerMustBeAUrl() {
        assertThatThrownBy(() -> read(
                        new Kubeconfig.Inline(kubeconfig("server: \"file:///etc/passwd\"", "{token: x}")),
                        Optional.empty()))
                .hasMessage("kubeconfig: server file:///etc/passwd (expected: an http or https URL with a host)");
    }

    @Test
    void severalClustersHaveCredentialsAndNamesOfTheirOwn() {
        Settings settings = Settings.of(Map.of(
                "KUBERNETES_CLUSTERS",
                "[{\"name\": \"a\", \"kubeconfig\": {\"clusters\": []}}, {\"cluster_name\": \"b\", \"in_cluster\": true},"
                        + " {\"name\": \"c\", \"kubeconfig_path\": \"/etc/c\", \"context\": \"x\"}]",
                "KUBERNETES_NAMESPACES",
                "shop, blog"));
        KubernetesSettings kubernetes = KubernetesSettings.from(settings);
        settings.check();
        assertThat(kubernetes.clusters())
                .extracting(each -> each.name().orElseThrow())
                .containsExactly("a", "b", "c");
        assertThat(kubernetes.clusters().get(2).source()).isEqualTo(new Kubeconfig.Mounted(Path.of("/etc/c"), false));
        assertThat(kubernetes.namespaces()).isEqualTo(List.of("shop", "blog"));
    }

    @Test
    void wrongSettingsAreSaidTogether() {
        Settings settings = Settings.of(Map.of(
                "KUBERNETES_CLUSTERS",
                "[{\"name\": \"a\"}, {\"name\": \"b\", \"in_cluster\": true}, {\"name\": \"b\", \"in_cluster\": true}]",
                "KUBERNETES_PAGE_SIZE",
                "0"));
        KubernetesSettings.from(settings);
        assertThatThrownBy(settings::check)
                .isInstanceOf(SettingsException.class)
                .hasMessageContaining("a without credentials")
                .hasMessageContaining("b twice")
                .hasMessageContaining("KUBERNETES_PAGE_SIZE: 0 (expected: 1 to 10000)");
    }

    private static String kubeconfig(String cluster, String user) {
        return """
                apiVersion: v1
                kind: Config
                current-context: main
                contexts: [{name: main, context: {cluster: prod, user: reader}}]
                clusters: [{name: prod, cluster: {%s}}]
                users: [{name: reader, user: %s}]
                """.formatted(cluster, user);
    }

    private static Kubeconfig.Login read(Kubeconfig.Source source, Optional<String> context) {
        return Kubeconfig.read(
                new KubernetesSettings.Access(Optional.empty(), context, source),
                Duration.ofSeconds(5),
                "https://10.96.0.1:443");
    }
}
