package io.elder.fetch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;

import com.sun.net.httpserver.HttpsConfigurator;
import com.sun.net.httpserver.HttpsServer;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.time.Duration;
import javax.net.ssl.SSLContext;
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
        HttpsServer tls = HttpsServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        tls.setHttpsConfigurator(new HttpsConfigurator(SSLContext.getDefault()));
        tls.start();
        try {
            // A server without a certificate.
            assertThat(trouble("https://127.0.0.1:" + tls.getAddress().getPort() + "/"))
                    .startsWith("TLS: ");
        } finally {
            tls.stop(0);
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
