package io.elder.bench;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.elder.estate.Directory;
import io.elder.estate.SimulatedOkta;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** An Okta whose answers are bent on their way. */
class CrookedFrontTest {
    private final Directory directory = new Directory();
    private SimulatedOkta okta;
    private CrookedFront front;

    @BeforeEach
    void start() {
        directory.put(new Directory.Group("g", "team"));
        for (int i = 0; i < 6; i++) {
            directory.put(new Directory.User("u" + i, "user" + i));
            directory.join("g", "u" + i);
        }
        okta = new SimulatedOkta(directory);
        front = new CrookedFront(okta.url());
    }

    @AfterEach
    void stop() {
        front.close();
        okta.close();
    }

    @Test
    void straightIsAsItIs() throws IOException, InterruptedException {
        assertThat(new ObjectMapper().readTree(get().body())).hasSize(6);
    }

    @Test
    void halfOfThePeopleAreLeftOut() throws IOException, InterruptedException {
        front.be(CrookedFront.Manner.SHRUNK);
        assertThat(new ObjectMapper().readTree(get().body())).hasSize(3);
    }

    @Test
    void whatIsCutOffIsNoJson() throws IOException, InterruptedException {
        front.be(CrookedFront.Manner.TRUNCATED);
        String body = get().body();
        org.assertj.core.api.Assertions.assertThatThrownBy(() -> new ObjectMapper().readTree(body))
                .isInstanceOf(JsonProcessingException.class);
    }

    @Test
    void anEmptyPageNamesAnother() throws IOException, InterruptedException {
        front.be(CrookedFront.Manner.EMPTY_WITH_NEXT);
        assertThat(get().body()).isEqualTo("[]");
        assertThat(get().headers().firstValue("Link"))
                .hasValueSatisfying(link -> assertThat(link).contains("rel=\"next\""));
    }

    @Test
    void changesGoThroughHoweverAnswersAreBent() throws IOException, InterruptedException {
        front.be(CrookedFront.Manner.HTML);
        assertThat(send("DELETE", "/api/v1/groups/g/users/u0").statusCode()).isEqualTo(204);
        assertThat(directory.membersOf("g")).doesNotContainKey("u0");
        assertThat(get().body()).startsWith("<!doctype html>");
    }

    private HttpResponse<String> get() throws IOException, InterruptedException {
        return send("GET", "/api/v1/groups/g/users");
    }

    private HttpResponse<String> send(String method, String path) throws IOException, InterruptedException {
        try (HttpClient http = HttpClient.newHttpClient()) {
            return http.send(
                    HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + front.port() + path))
                            .header("Authorization", "SSWS " + SimulatedOkta.TOKEN)
                            .method(method, HttpRequest.BodyPublishers.noBody())
                            .build(),
                    HttpResponse.BodyHandlers.ofString());
        }
    }
}
