package io.elder.console;

import io.elder.runtime.Secret;
import io.elder.runtime.Settings;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.util.Optional;

/**
 * Where the console listens, and what a caller must show.
 *
 * @param token asked of every caller where it is set; it must be set where others than this machine can call
 */
public record ConsoleSettings(String host, int port, boolean loopback, Optional<Secret> token) {

    public static ConsoleSettings from(Settings settings) {
        String host = settings.text("CONSOLE_HOST", "127.0.0.1");
        int port = settings.whole("CONSOLE_PORT", 5000, 0, 65535);
        Optional<Secret> token = settings.findSecret("CONSOLE_TOKEN");
        boolean loopback = false;
        try {
            loopback = InetAddress.getByName(host).isLoopbackAddress();
        } catch (UnknownHostException e) {
            settings.problem("CONSOLE_HOST", host, "an address of this machine, e.g. 127.0.0.1 or 0.0.0.0");
        }
        if (!loopback && token.isEmpty()) {
            settings.problem("CONSOLE_TOKEN", "not set", "a secret, since CONSOLE_HOST=" + host + " is not loopback");
        }
        token.filter(secret -> secret.value().length() < 16)
                .ifPresent(secret -> settings.problem(
                        "CONSOLE_TOKEN",
                        secret.value().length() + " characters",
                        "at least 16, e.g. from openssl rand -hex 32"));
        return new ConsoleSettings(host, port, loopback, token);
    }
}
