package io.elder.schemas;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.charset.StandardCharsets;
import java.time.Instant;
import org.apache.kafka.clients.producer.internals.BuiltInPartitioner;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class KeysTest {
    @ParameterizedTest
    @ValueSource(
            strings = {
                "plain",
                "a/b",
                "100%",
                "a#b",
                "dc=example,dc=com",
                "with blank",
                "ümlaut/日本",
                "a+b",
                "%2F",
                "tab\there"
            })
    void anyTextSurvivesInASegmentOfAKey(String text) {
        ScopeKey scope = new ScopeKey("ldap", text, text, "ldap_user");
        assertThat(ScopeKey.parse(scope.toString())).isEqualTo(scope);
        ResourceKey key = new ResourceKey("ldap", "host", "ldap_user", text);
        assertThat(ResourceKey.parse(key.toString())).isEqualTo(key);
        assertThat(key.toString().chars().filter(c -> c == '/').count()).isEqualTo(3);
        assertThat(key.toString()).doesNotContain("#");
    }

    @Test
    void aKeyIsReadableWhereNothingHasToBeEncoded() {
        assertThat(new ScopeKey("aws", "123456789012", "us-east-1", "ec2_instance"))
                .hasToString("aws/123456789012/us-east-1/ec2_instance");
        assertThat(new ResourceKey("aws", "1", "ec2_instance", "i-1").row("entity"))
                .isEqualTo("aws/1/ec2_instance/i-1#entity");
    }

    @Test
    void anEmptySegmentIsRefusedByName() {
        assertThatThrownBy(() -> new ScopeKey("ldap", "", "-", "ldap_user"))
                .hasMessageContaining("provider/account/region/kind");
        assertThatThrownBy(() -> ScopeKey.parse("a/b/c")).hasMessageContaining("a/b/c");
    }

    @Test
    void runsLieInThePartitionOfTheirJob() {
        for (int job = 1; job < 500; job++) {
            String key = Integer.toString(job);
            RunId run = RunId.parse(RunId.next(key, Instant.now()).toString());
            assertThat(run.jobKey()).isEqualTo(key);
            assertThat(run.jobId()).hasValue(job);
            assertThat(RunId.partition(run.jobKey(), 6))
                    .isEqualTo(BuiltInPartitioner.partitionForKey(key.getBytes(StandardCharsets.UTF_8), 6));
        }
        assertThat(RunId.parse("connector:ldap.k1").jobId()).isEmpty();
    }
}
