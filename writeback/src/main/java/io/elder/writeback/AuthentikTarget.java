package io.elder.writeback;

import io.elder.runtime.Secret;
import io.elder.runtime.Settings;
import java.io.IOException;
import java.time.Clock;
import java.time.Duration;

/**
 * Authentik's groups.
 *
 * @see <a href="https://api.goauthentik.io/reference/core-groups-add-user-create/">add_user</a>
 */
final class AuthentikTarget implements WritebackTarget {
    private final HttpCalls calls;
    private final double callsPerSecond;

    private AuthentikTarget(HttpCalls calls, double callsPerSecond) {
        this.calls = calls;
        this.callsPerSecond = callsPerSecond;
    }

    static AuthentikTarget of(Settings settings, Clock clock) {
        Secret token = HttpCalls.token(settings, "AUTHENTIK_API_TOKEN");
        return new AuthentikTarget(
                new HttpCalls(
                        HttpCalls.base(settings, "AUTHENTIK_DOMAIN", "/api/v3"),
                        "Bearer",
                        token,
                        settings.yes("AUTHENTIK_VERIFY_SSL", true),
                        settings.duration("WRITEBACK_TIMEOUT", Duration.ofSeconds(30)),
                        clock),
                Targets.callsPerSecond(settings, "AUTHENTIK"));
    }

    @Override
    public void make(Change change) throws CallFailure, IOException, InterruptedException {
        if (!change.member().matches("\\d{1,18}")) {
            throw new CallFailure(
                    CallFailure.Kind.REFUSED, "user: " + change.member() + " (expected: a number, Authentik's pk)");
        }
        String group = HttpCalls.segment("group", change.group());
        String body = "{\"pk\": " + change.member() + "}";
        switch (change.operation()) {
            case "add" -> calls.send("POST", "/api/v3/core/groups/" + group + "/add_user/", body);
            case "remove" -> calls.send("POST", "/api/v3/core/groups/" + group + "/remove_user/", body);
            default ->
                throw new CallFailure(
                        CallFailure.Kind.REFUSED, "operation: " + change.operation() + " (expected: add or remove)");
        }
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
