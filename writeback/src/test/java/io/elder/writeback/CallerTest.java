package io.elder.writeback;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.elder.estate.Site;
import io.elder.runtime.Settings;
import io.elder.runtime.SettingsException;
import io.elder.schemas.avro.PlannedChange;
import io.elder.schemas.avro.WritebackPlan;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Calls to servers that answer as none should. */
class CallerTest {
    private static final String TOKEN = "00tok/en+0123456789abcdef";

    private final Site site = Site.start();
    private final List<Duration> pauses = new ArrayList<>();
    private Targets targets;
    private Caller caller;

    @AfterEach
    void close() {
        if (targets != null) {
            targets.close();
        }
        site.close();
    }

    private void open(String provider, String token, Map<String, String> more) {
        String prefix = provider.toUpperCase(java.util.Locale.ROOT);
        Map<String, String> values = new HashMap<>(Map.of(
                prefix + "_WRITE_BACK_ENABLED", "true", prefix + "_DOMAIN", site.url(), prefix + "_API_TOKEN", token));
        values.putAll(more);
        Settings settings = Settings.of(values);
        targets = Targets.of(settings, WritebackSettings.from(settings), Clock.systemUTC());
        settings.check();
        caller =
                new Caller(targets, 1, Clock.systemUTC(), pauses::add, () -> 0.5, new Tally(new SimpleMeterRegistry()));
    }

    private Caller.Result make(String provider) throws InterruptedException {
        PlannedChange change = new PlannedChange("add", "1", List.of(), null, Instant.now());
        return caller.make(
                new WritebackPlan("plan", provider, "g", null, Instant.now(), null, List.of(change)), change);
    }

    @ParameterizedTest
    @CsvSource({
        "okta, 400, 0",
        "okta, 401, 0",
        "okta, 500, 0",
        "okta, 400, 280",
        "authentik, 400, 0",
        "authentik, 401, 0"
    })
    void aServerThatRepeatsTheTokenIsNotQuotedWithIt(String provider, int status, int before)
            throws InterruptedException {
        site.gate(call -> Optional.of(new Site.Reply(
                status,
                Map.of("Content-Type", "application/json"),
                "{\"detail\": \"no: %s%s, %s\"}"
                        .formatted(
                                "x".repeat(before),
                                call.header("authorization").orElseThrow(),
                                java.net.URLEncoder.encode(TOKEN, java.nio.charset.StandardCharsets.UTF_8)))));
        open(provider, TOKEN, Map.of());
        String said = make(provider).message() + caller.troubles();
        assertThat(said)
                .contains("***")
                .doesNotContain("00tok")
                .doesNotContain("en+")
                .doesNotContain("en%2B");
    }

    @Test
    void aTokenFromAFileThatEndsItWithALineBreakIsSentWithout() throws InterruptedException {
        List<String> sent = new CopyOnWriteArrayList<>();
        site.gate(call -> {
            sent.add(call.header("authorization").orElse(""));
            return Optional.of(new Site.Reply(204, Map.of(), ""));
        });
        open("okta", " " + TOKEN + "\r\n", Map.of());
        assertThat(make("okta").outcome()).isEqualTo(Outcome.APPLIED);
        assertThat(sent).containsExactly("SSWS " + TOKEN);
    }

    @ParameterizedTest
    @ValueSource(strings = {"00tok\nen0123", "00tok\u0000en0123", "00tok\u20acen0123", " \n"})
    void aTokenThatNoHeaderTakesIsRefusedAtTheStartWithoutItsValue(String token) {
        for (String provider : List.of("okta", "authentik")) {
            assertThatThrownBy(() -> open(provider, token, Map.of()))
                    .isInstanceOf(SettingsException.class)
                    .hasMessageContaining("_API_TOKEN: ***")
                    .hasMessageNotContaining("00tok");
        }
    }

    @Test
    void aDefectIsAFailureThatIsSaidWithoutItsMessage() throws InterruptedException {
        open("ldap", TOKEN, Map.of("LDAP_SERVER", "ldap://not a host"));
        Caller.Result result = make("ldap");
        assertThat(result.outcome()).isEqualTo(Outcome.FAILED);
        assertThat(result.message()).contains("IllegalArgumentException").doesNotContain("not a host");
        assertThat(caller.troubles()).containsEntry("ldap", result.message());
    }

    @ParameterizedTest
    @CsvSource({
        "Retry-After, 9223372036854775807",
        "Retry-After, -9223372036854775808",
        "Retry-After, 99999999999999999999",
        "Retry-After, 'Fri, 31 Dec 9999 23:59:59 GMT'",
        "X-Rate-Limit-Reset, 9223372036854775807",
        "X-Rate-Limit-Reset, 31556889864403199"
    })
    void aWaitBeyondReasonIsNotTakenAtItsWord(String header, String value) throws InterruptedException {
        AtomicInteger calls = new AtomicInteger();
        site.gate(call -> Optional.of(
                calls.getAndIncrement() == 0
                        ? new Site.Reply(429, Map.of(header, value), "")
                        : new Site.Reply(204, Map.of(), "")));
        open("okta", TOKEN, Map.of());
        assertThat(make("okta").outcome()).isEqualTo(Outcome.APPLIED);
        assertThat(pauses).allSatisfy(pause -> assertThat(pause).isLessThan(Duration.ofMinutes(61)));
    }
}
