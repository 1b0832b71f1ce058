package io.elder.fetch;

import io.elder.runtime.Settings;
import java.net.URI;
import java.nio.file.Path;

/** What Kubernetes tells every pod of the cluster that it runs in. */
public final class ThisPod {
    /** A folder with {@code token}, {@code namespace} and {@code ca.crt}. */
    public static final Path SERVICE_ACCOUNT = Path.of("/var/run/secrets/kubernetes.io/serviceaccount");

    private ThisPod() {}

    /** @param settings with the variables that Kubernetes sets; without them the name that every cluster knows serves */
    public static URI apiServer(Settings settings) {
        String host = settings.text("KUBERNETES_SERVICE_HOST", "kubernetes.default.svc");
        String port = settings.text("KUBERNETES_SERVICE_PORT", "443");
        return URI.create("https://" + (host.contains(":") ? "[" + host + "]" : host) + ":" + port);
    }
}
