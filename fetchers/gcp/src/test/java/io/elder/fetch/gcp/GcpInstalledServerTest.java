package io.elder.fetch.gcp;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.elder.fetch.testkit.RecordingPublisher;
import io.elder.fetch.testkit.TestRun;
import io.elder.normalizer.mapping.Mappings;
import io.elder.runtime.Settings;
import io.elder.schemas.avro.PlannedTask;
import io.elder.schemas.avro.ScopeFailed;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Against fake-gcs-server as {@code .ci/fake-gcs-server.sh} starts it: somebody else's idea of Cloud Storage. */
@Tag("installed")
class GcpInstalledServerTest {
    private static final String TOKEN = "token-of-the-test-4711";

    @BeforeEach
    void isThere() {
        assumeTrue(
                System.getenv("ELDER_TEST_GCS_URL") != null,
                "no fake-gcs-server: run .ci/fake-gcs-server.sh start DIR");
    }

    @Test
    void everyBucketIsReadAndMapped() throws Exception {
        RecordingPublisher published = read();
        int buckets = Integer.parseInt(System.getenv("ELDER_TEST_GCS_BUCKETS"));
        assertThat(published.events(ScopeFailed.class)).isEmpty();
        assertThat(published.seals()).singleElement().satisfies(seal -> assertThat(seal.count())
                .isEqualTo(buckets));
        assertThat(published.sealedRecords().stream()
                        .map(record -> record.key().id())
                        .distinct())
                .hasSize(buckets);
        assertThat(published.sealedRecords())
                .allSatisfy(record -> assertThat(Mappings.map(record.key().toString(), record.payload()))
                        .hasSize(1));
    }

    private static RecordingPublisher read() throws InterruptedException {
        Settings settings = Settings.of(Map.of(
                "GCP_PROJECT_ID",
                "my-project-123",
                "GCP_ACCESS_TOKEN",
                TOKEN,
                "GCP_ENDPOINT_URL",
                System.getenv("ELDER_TEST_GCS_URL"),
                "GCP_SERVICES",
                "storage"));
        try (TestRun<GcpClient> run = new TestRun<>(new GcpProvider(), settings, Set.of(TOKEN))) {
            List<PlannedTask> tasks = run.plan().stream()
                    .filter(task -> task.getKind().equals("gcs_bucket"))
                    .toList();
            assertThat(tasks).hasSize(1);
            tasks.forEach(run::fetch);
            return run.published();
        }
    }
}
