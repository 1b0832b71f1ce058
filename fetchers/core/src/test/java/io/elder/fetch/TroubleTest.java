package io.elder.fetch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;

import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import org.junit.jupiter.api.Test;

/** What the JDK's client really throws. */
class TroubleTest {
    @Test
    void saysHowFarAConnectionGot() throws Exception {
        assertThat(trouble("https://nowhere.invalid/")).startsWith("DNS: ");
        try (ServerSocket taken = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            int port = taken.getLocalPort();
            taken.close();
            assertThat(trouble("http://127.0.0.1:" + port + "/")).startsWith("TCP: ");
        }
        try (ServerSocket plain = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            // One that does not speak TLS.
            Thread.ofVirtual().start(() -> {
                try (Socket client = plain.accept()) {
                    client.getInputStream().read(new byte[100]);
                    client.getOutputStream()
                            .write("HTTP/1.1 400 Bad Request\r\n\r\n".getBytes(StandardCharsets.US_ASCII));
                    client.getInputStream().readAllBytes();
                } catch (IOException e) {
                    // The client has gone.
                }
            });
            assertThat(trouble("https://127.0.0.1:" + plain.getLocalPort() + "/"))
                    .startsWith("TLS: ");
        }
    }

    @Test
    void whatIsNoNetworksKeepsItsOwnWords() {
        assertThat(Trouble.inWords(new IOException("200 is no JSON"))).isEqualTo("200 is no JSON");
        assertThat(Trouble.inWords(new IllegalStateException())).isEqualTo("IllegalStateException");
    }

    private static String trouble(String url) {
        HttpClient http =
                HttpClient.newBuilder().connectTimeout(Duration.ofSeconds(10)).build();
        Throwable thrown = catchThrowable(
                () -> http.send(HttpRequest.newBuilder(URI.create(url)).build(), BodyHandlers.ofString()));
        return Trouble.ofNetwork(new IllegalStateException("wrapped", thrown)).orElse("not the network: " + thrown);
    }
}
