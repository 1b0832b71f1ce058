package io.elder.console;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import org.junit.jupiter.api.Test;

final class RedactionTest {
    private static final String STORED = """
            {"server": "ldap.example.com", "bind_password": "s3cret-1", "regions": ["a", "b"],
             "credentials_json": {"private_key": "s3cret-2"}, "url": "https://u:s3cret-3@h/x",
             "headers": [{"name": "Authorization", "value": "s3cret-4"}],
             "servers": [{"host": "one", "token": "s3cret-5"}, {"host": "two", "token": "s3cret-6"}],
             "kubeconfig_path": "/etc/kube", "port": 389}
            """;

    @Test
    void noSecretIsShownAtAnyDepth() throws Exception {
        JsonNode shown = Redaction.redact(json(STORED));

        assertThat(shown.toString()).doesNotContain("s3cret");
        assertThat(shown.path("kubeconfig_path").asText()).isEqualTo("/etc/kube");
        assertThat(shown.path("port").asInt()).isEqualTo(389);
    }

    @Test
    void whatWasShownAndIsSentBackRestoresWhatIsStored() throws Exception {
        JsonNode stored = json(STORED);

        assertThat(Redaction.restore(Redaction.redact(stored), stored)).isEqualTo(stored);
    }

    @Test
    void aSecretNeverMovesToAnotherElement() throws Exception {
        JsonNode stored = json(STORED);
        JsonNode sent = json("{\"servers\": [{\"host\": \"two\", \"token\": \"" + Redaction.MARK + "\"}]}");

        assertThat(Redaction.restore(sent, stored).at("/servers/0/token").asText())
                .isEqualTo("s3cret-6");
        JsonNode other = json("{\"servers\": [{\"host\": \"three\", \"token\": \"" + Redaction.MARK + "\"}]}");
        assertThatThrownBy(() -> Redaction.restore(other, stored)).isInstanceOf(BadInput.class);
    }

    @Test
    void aMessageLosesTheSecretsOfItsConfiguration() throws Exception {
        assertThat(Redaction.scrub("bind failed with s3cret-1 and s3cret-2", json(STORED)))
                .doesNotContain("s3cret");
    }

    private static JsonNode json(String text) throws Exception {
        return new ObjectMapper().readTree(text);
    }
}
