package io.elder.runtime;

import static org.assertj.core.api.Assertions.assertThat;

import java.net.URI;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class WebAddressTest {
    @Test
    void aBareHostMeansHttps() {
        assertThat(WebAddress.of("idp.example.com:8443")).contains(URI.create("https://idp.example.com:8443"));
        assertThat(WebAddress.of("http://idp.example.com/x")).contains(URI.create("http://idp.example.com/x"));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "ftp://example.com",
                "https://",
                "https://a b",
                "mailto:x@example.com",
                "https://user:password@example.com",
                "https:///path"
            })
    void whatNamesNoWebServerIsNone(String text) {
        assertThat(WebAddress.of(text)).isEmpty();
        assertThat(WebAddress.secure(text)).isEmpty();
    }

    @Test
    void aSecretIsToldInTheClearOnThisMachineAlone() {
        assertThat(WebAddress.secure("http://127.0.0.1:8080")).isPresent();
        assertThat(WebAddress.secure("http://localhost")).isPresent();
        assertThat(WebAddress.secure("http://[::1]:80")).isPresent();
        assertThat(WebAddress.secure("https://idp.example.com")).isPresent();
        assertThat(WebAddress.secure("http://idp.example.com")).isEmpty();
        assertThat(WebAddress.secure("http://127.0.0.1.example.com")).isEmpty();
    }
}
