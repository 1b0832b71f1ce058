package io.elder.bench;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.elder.estate.Site;
import java.io.IOException;
import java.net.ConnectException;
import java.net.InetAddress;
import java.net.Socket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Duration;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** A network that fails as it is told to. */
class LinkTest {
    private Site site;
    private Link link;

    @BeforeEach
    void start() throws IOException {
        site = Site.start().get("/", call -> Site.Reply.of(204));
        link = Link.to(site.port());
    }

    @AfterEach
    void stop() throws IOException {
        link.close();
        site.close();
    }

    @Test
    void nobodyListensWhileConnectionsAreRefusedAndTheSamePortIsBackAfterwards() throws Exception {
        assertThat(get()).isEqualTo(204);
        link.be(Link.State.REFUSED);
        assertThatThrownBy(() -> new Socket(InetAddress.getLoopbackAddress(), link.port()).close())
                .isInstanceOf(ConnectException.class);
        link.be(Link.State.FINE);
        assertThat(get()).isEqualTo(204);
    }

    @Test
    void whatIsSeenHasNotArrivedYetAndIsSeenOnce() throws Exception {
        AtomicInteger seen = new AtomicInteger();
        MarkedPoint.Sight sight = MarkedPoint.answerToChange().get();
        link.tap((isAnswer, data, length) -> {
            boolean isIt = sight.look(isAnswer, data, length) == MarkedPoint.Seen.HERE;
            if (isIt) {
                seen.incrementAndGet();
                // Whoever dies here never hears of it.
                link.be(Link.State.CUT);
            }
            return isIt;
        });
        assertThatThrownBy(this::get).isInstanceOf(IOException.class);
        link.be(Link.State.FINE);
        assertThat(get()).isEqualTo(204);
        assertThat(seen).hasValue(1);
    }

    @Test
    void aRequestToEndATransactionIsToldFromOthersAndFromThoseOfOtherClients() {
        MarkedPoint.Sight sight = MarkedPoint.endOfTransaction("elder-sink").get();
        assertThat(sight.look(false, request(26, "elder-sink-1"), 26)).isEqualTo(MarkedPoint.Seen.HERE);
        assertThat(sight.look(true, request(26, "elder-sink-1"), 26)).isEqualTo(MarkedPoint.Seen.NOT_YET);
        assertThat(sight.look(false, request(0, "elder-sink-1"), 26)).isEqualTo(MarkedPoint.Seen.NOT_YET);
        assertThat(sight.look(false, request(26, "elder-cdc-12"), 26)).isEqualTo(MarkedPoint.Seen.NOT_YET);
    }

    /** Size, key, version, number, client: https://kafka.apache.org/protocol#protocol_messages. */
    private static byte[] request(int key, String client) {
        return java.nio.ByteBuffer.allocate(26)
                .putInt(22)
                .putShort((short) key)
                .putShort((short) 4)
                .putInt(7)
                .putShort((short) client.length())
                .put(client.getBytes(java.nio.charset.StandardCharsets.US_ASCII))
                .array();
    }

    private int get() throws IOException, InterruptedException {
        try (HttpClient http = HttpClient.newHttpClient()) {
            return http.send(
                            HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + link.port() + "/"))
                                    .timeout(Duration.ofSeconds(5))
                                    .build(),
                            HttpResponse.BodyHandlers.discarding())
                    .statusCode();
        }
    }
}
