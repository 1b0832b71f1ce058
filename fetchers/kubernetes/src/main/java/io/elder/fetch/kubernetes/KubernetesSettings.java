package io.elder.fetch.kubernetes;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.elder.fetch.ThisPod;
import io.elder.runtime.Settings;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * Which clusters to read, and how.
 *
 * @param namespaces to read on their own; empty for whole clusters
 * @param pageSize objects per page
 * @param timeout for each answer
 */
record KubernetesSettings(List<Access> clusters, List<String> namespaces, int pageSize, Duration timeout) {
    private static final ObjectMapper JSON = new ObjectMapper();

    /**
     * How one cluster is reached.
     *
     * @param name of the cluster; empty to take it from the kubeconfig
     */
    record Access(Optional<String> name, Optional<String> context, Kubeconfig.Source source) {}

    static KubernetesSettings from(Settings settings) {
        Optional<String> list = settings.find("KUBERNETES_CLUSTERS");
        List<Access> clusters = list.isPresent() ? listed(settings, list.get()) : List.of(single(settings));
        Set<String> names = new HashSet<>();
        for (Access cluster : clusters) {
            cluster.name()
                    .filter(name -> !names.add(name))
                    .ifPresent(name -> settings.problem(
                            "KUBERNETES_CLUSTERS", name + " twice", "a different name for each cluster"));
        }
        return new KubernetesSettings(
                clusters,
                settings.find("KUBERNETES_NAMESPACES").isPresent()
                        ? settings.list("KUBERNETES_NAMESPACES", "")
                        : settings.list("KUBERNETES_NAMESPACE", ""),
                settings.whole("KUBERNETES_PAGE_SIZE", 500, 1, 10_000),
                settings.duration("KUBERNETES_TIMEOUT", Duration.ofSeconds(30)));
    }

    private static Access single(Settings settings) {
        return new Access(
                settings.find("KUBERNETES_CLUSTER_NAME"), settings.find("KUBERNETES_CONTEXT"), source(settings));
    }

    private static Kubeconfig.Source source(Settings settings) {
        boolean mayRun = settings.yes("KUBECONFIG_ALLOW_EXEC", false);
        // A mounted secret may have the kubeconfig in a field of this name, or be it.
        Optional<String> inline = settings.findAny("KUBERNETES_KUBECONFIG", "KUBERNETES_KUBECONFIG_YAML");
        if (inline.isPresent()) {
            return new Kubeconfig.Inline(inline.get());
        }
        Optional<Path> path = settings.find("KUBERNETES_KUBECONFIG_PATH").map(Path::of);
        if (path.isPresent()) {
            return at(path.get(), mayRun);
        }
        if (settings.yes("KUBERNETES_IN_CLUSTER", false)) {
            return new Kubeconfig.ServiceAccount(ThisPod.SERVICE_ACCOUNT);
        }
        Optional<String> credentials = settings.find("KUBERNETES_CREDENTIALS");
        if (credentials.isPresent()) {
            return new Kubeconfig.Inline(credentials.get());
        }
        Optional<Path> common =
                settings.findAny("KUBERNETES_CREDENTIALS_FILE", "KUBECONFIG").map(Path::of);
        if (common.isPresent()) {
            return at(common.get(), mayRun);
        }
        if (Files.isDirectory(ThisPod.SERVICE_ACCOUNT)) {
            return new Kubeconfig.ServiceAccount(ThisPod.SERVICE_ACCOUNT);
        }
        settings.problem(
                "KUBERNETES_KUBECONFIG_PATH",
                "not set",
                "a kubeconfig, or KUBERNETES_IN_CLUSTER=true inside a cluster, or KUBERNETES_CLUSTERS");
        return new Kubeconfig.Inline("");
    }

    private static Kubeconfig.Source at(Path path, boolean mayRun) {
        return Files.isDirectory(path) ? new Kubeconfig.ServiceAccount(path) : new Kubeconfig.Mounted(path, mayRun);
    }

    private static List<Access> listed(Settings settings, String text) {
        String expected =
                "a JSON list such as [{\"name\": \"production\", \"kubeconfig_path\": \"/etc/kube/config\", \"context\": \"production\"}]";
        JsonNode list;
        try {
            list = JSON.readTree(text);
        } catch (JsonProcessingException e) {
            // Not its message: it quotes the text, which may hold a kubeconfig.
            settings.problem("KUBERNETES_CLUSTERS", "no JSON", expected);
            return List.of();
        }
        boolean mayRun = settings.yes("KUBECONFIG_ALLOW_EXEC", false);
        List<Access> clusters = new ArrayList<>();
        for (JsonNode each : list) {
            Optional<String> name = text(each, "name").or(() -> text(each, "cluster_name"));
            Optional<Kubeconfig.Source> source = inline(each.path("kubeconfig"))
                    .or(() -> text(each, "kubeconfig_path").map(path -> at(Path.of(path), mayRun)))
                    .or(() -> Optional.of(each.path("in_cluster").asBoolean(false))
                            .filter(isInside -> isInside)
                            .map(unused -> new Kubeconfig.ServiceAccount(ThisPod.SERVICE_ACCOUNT)))
                    // Several clusters are often several contexts of one kubeconfig.
                    .or(() -> text(each, "context").map(unused -> source(settings)));
            if (source.isEmpty()) {
                settings.problem(
                        "KUBERNETES_CLUSTERS",
                        name.orElse("an entry") + " without credentials",
                        "kubeconfig_path, kubeconfig, context or in_cluster");
            } else {
                clusters.add(new Access(name, text(each, "context"), source.get()));
            }
        }
        if (!list.isArray() || list.isEmpty()) {
            settings.problem("KUBERNETES_CLUSTERS", list.isArray() ? "an empty list" : "no list", expected);
        }
        return clusters;
    }

    private static Optional<Kubeconfig.Source> inline(JsonNode kubeconfig) {
        if (kubeconfig.isObject()) {
            return Optional.of(new Kubeconfig.Inline(kubeconfig.toString()));
        }
        return Optional.of(kubeconfig.asText(""))
                .filter(text -> !text.isBlank())
                .map(Kubeconfig.Inline::new);
    }

    private static Optional<String> text(JsonNode object, String field) {
        return Optional.of(object.path(field).asText("").strip()).filter(text -> !text.isEmpty());
    }
}
