package io.elder.writeback;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import io.elder.runtime.Secret;
import io.elder.runtime.Settings;
import java.io.IOException;
import java.time.Clock;
import java.time.Duration;

/**
 * Okta's groups.
 *
 * @see <a href="https://developer.okta.com/docs/api/openapi/okta-management/management/tag/Group/">Groups API</a>
 */
final class OktaTarget implements WritebackTarget {
    private final HttpCalls calls;
    private final double callsPerSecond;

    private OktaTarget(HttpCalls calls, double callsPerSecond) {
        this.calls = calls;
        this.callsPerSecond = callsPerSecond;
    }

    static OktaTarget of(Settings settings, Clock clock) {
        Secret token = HttpCalls.token(settings, "OKTA_API_TOKEN");
        return new OktaTarget(
                new HttpCalls(
                        HttpCalls.base(settings, "OKTA_DOMAIN", "/api/v1"),
                        "SSWS",
                        token,
                        true,
                        settings.duration("WRITEBACK_TIMEOUT", Duration.ofSeconds(30)),
                        clock),
                Targets.callsPerSecond(settings, "OKTA"));
    }

    @Override
    public void make(Change change) throws CallFailure, IOException, InterruptedException {
        String user = HttpCalls.segment("user", change.member());
        switch (change.operation()) {
            case "add" -> calls.send("PUT", membership(change, user), null);
            case "remove" -> calls.send("DELETE", membership(change, user), null);
            default -> {
                var body = JsonNodeFactory.instance.objectNode();
                body.putObject("profile").put("profileUrl", change.value());
                calls.send("POST", "/api/v1/users/" + user, body.toString());
            }
        }
    }

    private static String membership(Change change, String user) throws CallFailure {
        return "/api/v1/groups/" + HttpCalls.segment("group", change.group()) + "/users/" + user;
    }

    @Override
    public double callsPerSecond() {
        return callsPerSecond;
    }

    @Override
    public void close() {
        calls.close();
    }
}
