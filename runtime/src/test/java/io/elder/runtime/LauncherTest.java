package io.elder.runtime;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Map;
import org.junit.jupiter.api.Test;

class LauncherTest {
    @Test
    void theShortNamesOfKubernetesAreItsLongOnesWhereThoseAreNotSet() {
        assertThat(Launcher.withLongNames(Map.of("K8S_ENABLED", "true"))).containsEntry("KUBERNETES_ENABLED", "true");
        assertThat(Launcher.withLongNames(Map.of("K8S_CONTEXT", "short", "KUBERNETES_CONTEXT", "long")))
                .containsEntry("KUBERNETES_CONTEXT", "long");
    }
}
