package io.elder.fetch.kubernetes;

import io.elder.fetch.BadConfigurationException;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** The clusters of a run, by name. */
final class KubernetesClusters implements AutoCloseable {
    private final Map<String, KubernetesCluster> byName = new LinkedHashMap<>();
    private final List<String> namespaces;

    private KubernetesClusters(List<String> namespaces) {
        this.namespaces = namespaces;
    }

    /**
     * Opens all and proves that at least one answers: one that does not must not keep the others from being read, so its
     * own reads fail.
     */
    static KubernetesClusters open(KubernetesSettings settings, String inside) throws Exception {
        KubernetesClusters clusters = new KubernetesClusters(settings.namespaces());
        boolean isOpen = false;
        try {
            for (KubernetesSettings.Access access : settings.clusters()) {
                Kubeconfig.Login login = Kubeconfig.read(access, settings.timeout(), inside);
                KubernetesCluster cluster = new KubernetesCluster(login, settings.timeout(), settings.pageSize());
                if (clusters.byName.putIfAbsent(cluster.name(), cluster) != null) {
                    cluster.close();
                    throw new BadConfigurationException("cluster " + cluster.name()
                            + " appears twice (expected: a different cluster_name for each)");
                }
            }
            clusters.proveOne();
            isOpen = true;
            return clusters;
        } finally {
            if (!isOpen) {
                clusters.close();
            }
        }
    }

    private void proveOne() throws Exception {
        Exception first = null;
        boolean isOneThere = false;
        for (KubernetesCluster cluster : byName.values()) {
            try {
                cluster.prove();
                isOneThere = true;
            } catch (InterruptedException e) {
                throw e;
            } catch (Exception e) {
                first = first == null ? e : first;
            }
        }
        if (!isOneThere && first != null) {
            throw first;
        }
    }

    Collection<KubernetesCluster> all() {
        return byName.values();
    }

    KubernetesCluster cluster(String name) {
        KubernetesCluster cluster = byName.get(name);
        if (cluster == null) {
            throw new BadConfigurationException(
                    "cluster " + name + " is not configured any more (expected: one of " + byName.keySet() + ")");
        }
        return cluster;
    }

    /** Namespaces that are read on their own; empty for whole clusters. */
    List<String> namespaces() {
        return namespaces;
    }

    @Override
    public void close() {
        byName.values().forEach(KubernetesCluster::close);
    }
}
