package io.elder.fetch;

import static org.assertj.core.api.Assertions.assertThat;

import io.elder.runtime.Settings;
import java.util.Map;
import org.junit.jupiter.api.Test;

class ThisPodTest {
    @Test
    void theApiServerIsWhereKubernetesSaysAlsoWithAnAddressOfTheSixthVersion() {
        assertThat(ThisPod.apiServer(Settings.of(Map.of()))).hasToString("https://kubernetes.default.svc:443");
        assertThat(ThisPod.apiServer(
                        Settings.of(Map.of("KUBERNETES_SERVICE_HOST", "10.0.0.1", "KUBERNETES_SERVICE_PORT", "6443"))))
                .hasToString("https://10.0.0.1:6443");
        assertThat(ThisPod.apiServer(Settings.of(Map.of("KUBERNETES_SERVICE_HOST", "fd00::1"))))
                .hasToString("https://[fd00::1]:443");
    }
}
